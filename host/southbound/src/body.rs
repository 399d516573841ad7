//! The body of a POST: how large it may be and how long it may take (TR-069 3.4.7).

use std::io::Read;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::body::{Body as _, Incoming};
use hyper::header::{CONTENT_ENCODING, CONTENT_LENGTH, EXPECT, HeaderMap};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::task::TaskTracker;
use trellis_session::limit_reached;

use crate::http::Refusal;
use crate::settings::SouthboundSettings;

const NOT_COMPRESSED: Refusal = Refusal(StatusCode::BAD_REQUEST, "the body cannot be decompressed");

/// Reads bodies.
pub(crate) struct Reader<'a> {
    pub(crate) settings: &'a SouthboundSettings,
    /// The memory for large bodies.
    pub(crate) memory: &'a BodyMemory,
    /// The largest size, in bytes.
    pub(crate) max: usize,
}

/// A body, and the memory that is set aside for a large one as long as there is the body.
type Body<'a> = (Bytes, Lease<'a>);

impl<'a> Reader<'a> {
    /// Reads a body, decompressed.
    pub(crate) async fn read(
        &self,
        headers: &HeaderMap,
        body: &mut Incoming,
    ) -> Result<Body<'a>, Refusal> {
        let declared: Option<usize> =
            headers.get(CONTENT_LENGTH).and_then(|it| it.to_str().ok()?.parse().ok());
        if declared.is_some_and(|length| length > self.max) {
            return Err(too_large());
        }
        let coding = Coding::of(headers)?;
        let mut lease = self.memory.lease();
        // All at once where it can be: bodies that hold some and wait for more would wait for
        // each other.
        self.grow(&mut lease, declared.unwrap_or_default()).await?;
        let bytes = self.collect(body, &mut lease).await?;
        let Some(coding) = coding else { return Ok((bytes, lease)) };
        // What it inflates to is not known before: most often it is little.
        let small = self.settings.small_body_bytes.min(self.max);
        let mut inflated = inflate(coding, &bytes, small).await?;
        if inflated.len() > small {
            self.grow(&mut lease, self.max).await?;
            inflated = inflate(coding, &bytes, self.max).await?;
        }
        if inflated.len() > self.max {
            return Err(too_large());
        }
        lease.shrink(if inflated.len() > small { inflated.len() } else { 0 });
        Ok((inflated.into(), lease))
    }

    async fn collect(&self, body: &mut Incoming, lease: &mut Lease<'a>) -> Result<Bytes, Refusal> {
        let began = Instant::now();
        let mut waited = Duration::ZERO;
        let mut bytes = BytesMut::new();
        loop {
            let deadline = began + waited + self.time(bytes.len());
            let idle = Instant::now() + self.settings.body_idle;
            let frame = timeout_at(deadline.min(idle), body.frame()).await;
            let Some(frame) = frame.map_err(|_| too_slow())? else { break };
            let frame =
                frame.map_err(|_| Refusal(StatusCode::BAD_REQUEST, "the body is cut off"))?;
            let Ok(data) = frame.into_data() else { continue };
            let length = bytes.len().saturating_add(data.len());
            if length > self.max {
                return Err(too_large());
            }
            let waiting = Instant::now();
            self.grow(lease, length).await?;
            waited += waiting.elapsed();
            bytes.extend_from_slice(&data);
        }
        Ok(bytes.freeze())
    }

    /// How long a body may take of which so many bytes have come.
    fn time(&self, bytes: usize) -> Duration {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let moving = Duration::from_secs(bytes / self.settings.body_rate_min.max(1));
        self.settings.body_time.saturating_add(moving)
    }

    /// Sets memory aside for a body of so many bytes, unless it is a small one.
    async fn grow(&self, lease: &mut Lease<'a>, bytes: usize) -> Result<(), Refusal> {
        if bytes <= self.settings.small_body_bytes {
            return Ok(());
        }
        match timeout(self.settings.body_idle, lease.grow(bytes)).await {
            Ok(()) => Ok(()),
            Err(_) => {
                limit_reached("large_bodies_bytes");
                // In mid-session a 503 means nothing to a device (TR-069 3.7.2).
                let in_session = self.max > self.settings.first_body_bytes_max;
                let status = match in_session {
                    true => StatusCode::BAD_REQUEST,
                    false => StatusCode::SERVICE_UNAVAILABLE,
                };
                Err(Refusal(status, "too many large bodies are on their way"))
            }
        }
    }
}

/// The memory for large bodies, which connections share: a permit is [`UNIT`] bytes.
pub(crate) struct BodyMemory {
    permits: Semaphore,
    /// Reads what is left of refused bodies.
    pub(crate) lingering: TaskTracker,
}

/// Part of that memory.
pub(crate) struct Lease<'a> {
    memory: &'a Semaphore,
    permit: Option<SemaphorePermit<'a>>,
}

const UNIT: usize = 256 << 10;

impl BodyMemory {
    /// Memory for at least two of the largest bodies: one may be stuck.
    pub(crate) fn new(settings: &SouthboundSettings) -> Self {
        let bytes = settings.large_bodies_bytes_max.max(settings.body_bytes_max.saturating_mul(2));
        let permits = Semaphore::new(units(bytes).min(Semaphore::MAX_PERMITS));
        Self { permits, lingering: TaskTracker::new() }
    }

    fn lease(&self) -> Lease<'_> {
        Lease { memory: &self.permits, permit: None }
    }
}

impl Lease<'_> {
    /// Waits for as many bytes.
    async fn grow(&mut self, bytes: usize) {
        let missing = units(bytes).saturating_sub(self.units());
        let missing = u32::try_from(missing).unwrap_or(u32::MAX);
        if missing == 0 {
            return;
        }
        // The semaphore is never closed.
        let Ok(more) = self.memory.acquire_many(missing).await else { return };
        match &mut self.permit {
            Some(permit) => permit.merge(more),
            None => self.permit = Some(more),
        }
    }

    /// Gives back what as many bytes do not need.
    fn shrink(&mut self, bytes: usize) {
        let surplus = self.units().saturating_sub(units(bytes));
        if let Some(permit) = &mut self.permit {
            drop(permit.split(surplus));
        }
    }

    fn units(&self) -> usize {
        self.permit.as_ref().map_or(0, SemaphorePermit::num_permits)
    }
}

fn units(bytes: usize) -> usize {
    bytes.div_ceil(UNIT)
}

/// Decompresses on another thread, and stops one byte past `max`.
async fn inflate(coding: Coding, bytes: &Bytes, max: usize) -> Result<Vec<u8>, Refusal> {
    let bytes = bytes.clone();
    let inflating = tokio::task::spawn_blocking(move || coding.inflate(&bytes, max));
    inflating.await.map_err(|_| NOT_COMPRESSED)?
}

/// How long the rest of a refused body is read and dropped.
const LINGER: Duration = Duration::from_secs(5);

/// Reads what is left of a refused body and drops it. Were the connection closed instead, most
/// devices, which read nothing before they have sent everything, would never see the answer.
pub(crate) fn linger(memory: &BodyMemory, headers: &HeaderMap, mut body: Incoming) {
    // Such a device waits to be told to go on, and is not.
    if body.is_end_stream() || headers.contains_key(EXPECT) {
        return;
    }
    let rest = async move { while let Some(Ok(_)) = body.frame().await {} };
    memory.lingering.spawn(timeout(LINGER, rest));
}

fn too_large() -> Refusal {
    limit_reached("body_bytes");
    Refusal(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large")
}

fn too_slow() -> Refusal {
    limit_reached("body_time");
    Refusal(StatusCode::REQUEST_TIMEOUT, "the body takes too long")
}

/// A content coding that devices may use (TR-069 3.4.7).
#[derive(Clone, Copy)]
enum Coding {
    Gzip,
    Deflate,
}

impl Coding {
    fn of(headers: &HeaderMap) -> Result<Option<Self>, Refusal> {
        let Some(value) = headers.get(CONTENT_ENCODING) else { return Ok(None) };
        match value.to_str().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Ok(None),
            "gzip" | "x-gzip" => Ok(Some(Self::Gzip)),
            "deflate" => Ok(Some(Self::Deflate)),
            _ => Err(Refusal(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "the content codings are gzip and deflate",
            )),
        }
    }

    /// Decompresses, and stops one byte past the limit. Deflate comes with a zlib header from
    /// some devices and without from others.
    fn inflate(self, bytes: &[u8], max: usize) -> Result<Vec<u8>, Refusal> {
        let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
        let read = |reader: &mut dyn Read| {
            let mut inflated = Vec::new();
            reader.take(limit).read_to_end(&mut inflated).map(|_| inflated)
        };
        let inflated = match self {
            Self::Gzip => read(&mut flate2::read::MultiGzDecoder::new(bytes)),
            Self::Deflate => read(&mut flate2::read::ZlibDecoder::new(bytes))
                .or_else(|_| read(&mut flate2::read::DeflateDecoder::new(bytes))),
        };
        inflated.map_err(|_| NOT_COMPRESSED)
    }
}
