"""Python's usual health endpoint: FastAPI under uvicorn with uvloop and httptools.

    python server.py PORT
"""

import sys
from datetime import datetime, timezone

import uvicorn
from fastapi import FastAPI, Response

app = FastAPI()


@app.get("/health")
async def health(response: Response):
    response.headers["cache-control"] = "no-store"
    response.headers["x-content-type-options"] = "nosniff"
    response.headers["vary"] = "accept"
    return {
        "status": "healthy",
        "checks": {"api": True, "runpod_configured": True, "r2_configured": True},
        "checked_at": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
    }


@app.get("/livez")
async def livez():
    return {"status": "ok"}


if __name__ == "__main__":
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
        timeout_keep_alive=75,
    )
