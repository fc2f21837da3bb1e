//! What a load generator sends: one request over and over, or a new one each time.

use std::fmt;

/// Writes a request into an emptied buffer.
type Make = Box<dyn FnMut(&mut Vec<u8>) + Send>;

/// Requests of one kind.
pub struct Requests {
    text: Vec<u8>,
    make: Option<Make>,
    status: u16,
    beginning: Vec<u8>,
}

impl Requests {
    /// What `make` writes into an emptied buffer, answered with `status`. Answers must all have the same size.
    pub fn each(status: u16, make: impl FnMut(&mut Vec<u8>) + Send + 'static) -> Self {
        Requests {
            text: Vec::new(),
            make: Some(Box::new(make)),
            status,
            beginning: beginning(status),
        }
    }

    /// The one to be sent now.
    pub fn take(&mut self) -> &[u8] {
        if let Some(make) = &mut self.make {
            self.text.clear();
            make(&mut self.text);
        }
        &self.text
    }

    /// The status of a right answer.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// How a right answer begins.
    pub fn beginning(&self) -> &[u8] {
        &self.beginning
    }
}

/// The same over and over, answered with 200.
impl From<Vec<u8>> for Requests {
    fn from(text: Vec<u8>) -> Self {
        Requests {
            text,
            make: None,
            status: 200,
            beginning: beginning(200),
        }
    }
}

impl fmt::Debug for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Requests")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

fn beginning(status: u16) -> Vec<u8> {
    format!("HTTP/1.1 {status} ").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_made_anew_and_the_same_stays() {
        let mut number = 0_u8;
        let mut each = Requests::each(202, move |out| {
            number += 1;
            out.push(number);
        });
        assert_eq!([each.take().to_vec(), each.take().to_vec()], [[1], [2]]);
        assert_eq!(each.beginning(), b"HTTP/1.1 202 ");
        let mut same = Requests::from(vec![7]);
        assert_eq!([same.take().to_vec(), same.take().to_vec()], [[7], [7]]);
    }
}
