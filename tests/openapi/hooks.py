"""What OpenAPI 3.1 cannot say of a request: a parameter that needs another one.

`timeout` without `wait` is a 400 on purpose: a deploy script that forgot `wait` would not wait at all. So a
request that has drawn `timeout` alone gets `wait` as well; everything else stays as it was drawn.
"""

import schemathesis


@schemathesis.hook
def before_call(context, case, kwargs):
    if isinstance(case.query, dict) and "timeout" in case.query:
        case.query.setdefault("wait", "healthy")
