//! A client that costs as little as it can: one connection, one request at a time, no more of HTTP than that needs.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::outcome::Outcome;

pub(crate) struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) body: &'a [u8],
}

/// What the head of an answer says.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    body_at: usize,
    length: usize,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Outcome<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, read: Vec::with_capacity(4096) })
    }

    /// Sends a request and waits for the whole answer.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> Outcome<Answer<'_>> {
        self.stream.write_all(request).await?;
        self.read.clear();
        let Head { status, body_at, length } = loop {
            self.read_more().await?;
            if let Some(head) = Head::parse(&self.read)? {
                break head;
            }
        };
        while self.read.len() < body_at + length {
            self.read_more().await?;
        }
        let body = &self.read[body_at..];
        if body.len() > length {
            return Err(format!("{} bytes came after the answer", body.len() - length).into());
        }
        Ok(Answer { status, body })
    }

    async fn read_more(&mut self) -> Outcome {
        match self.stream.read_buf(&mut self.read).await? {
            0 => Err("the server closed the connection".into()),
            _ => Ok(()),
        }
    }
}

impl Head {
    /// None while there is more of it to come.
    fn parse(bytes: &[u8]) -> Outcome<Option<Self>> {
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
        let head = std::str::from_utf8(&bytes[..end])?;
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok());
        let status: u16 = status.ok_or_else(|| format!("no answer in HTTP/1.1: {head}"))?;
        let mut fields = lines.filter_map(|line| line.split_once(':'));
        let length = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let length = match length {
            Some((_, length)) => length.trim().parse().map_err(|_| format!("no length: {length}"))?,
            None if status == 204 => 0,
            None => return Err(format!("an answer without a length: {head}").into()),
        };
        Ok(Some(Self { status, body_at: end + 4, length }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_once_it_is_complete() {
        let whole = b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\nx: y\r\n\r\n{";
        assert_eq!(Head::parse(&whole[..40]).unwrap(), None);
        assert_eq!(Head::parse(whole).unwrap(), Some(Head { status: 200, body_at: whole.len() - 1, length: 12 }));
        let empty = Head::parse(b"HTTP/1.1 204 No Content\r\ndate: x\r\n\r\n").unwrap().unwrap();
        assert_eq!((empty.status, empty.length), (204, 0));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        assert!(Head::parse(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
        assert!(Head::parse(b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n").is_err());
        assert!(Head::parse(b"SSH-2.0\r\n\r\n").is_err());
    }
}
