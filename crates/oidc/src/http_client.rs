//! The one way out to the provider: no redirects, deadlines, a body limit, and transport
//! security. It knows nothing of OAuth and never logs a body or a URL.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use http::{HeaderValue, Request, Response, header::RETRY_AFTER};
use tracing::Instrument as _;
use url::{Host, Url};

use crate::observer::{RequestKind, RequestObserver};

/// A connection that takes longer will not come.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// From the first byte sent to the last received: a server that drips one byte a second
/// must not hold a login for ever.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(10);
/// Counted while streaming. Real metadata and key sets have a few kilobytes.
const BODY_LIMIT: usize = 1024 * 1024;
/// The longest pause that a provider's `Retry-After` can ask of us.
const RETRY_AFTER_LIMIT: Duration = Duration::from_mins(1);

/// What the caller does next about a failed request.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum HttpError {
    /// Nothing usable arrived; later it may. The request may still have been obeyed.
    #[error("the provider cannot be reached: {0}")]
    Unreachable(String),
    /// The request or the answer breaks our limits; asking again will not help.
    #[error("the exchange with the provider is unacceptable: {0}")]
    Unacceptable(&'static str),
}

/// Client for requests to the provider. Built once, cheap to clone.
#[derive(Clone)]
pub struct HttpClient {
    remote: reqwest::Client,
    /// Plain http to this machine never goes through a proxy, which would see the secrets.
    loopback: reqwest::Client,
    observer: Option<Arc<dyn RequestObserver>>,
    time_limit: Duration,
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("HttpClient").finish_non_exhaustive()
    }
}

/// The TLS stack could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client cannot be built")]
pub struct HttpClientUnavailable(#[source] reqwest::Error);

impl HttpClient {
    /// Sets up connection pools, TLS and limits.
    ///
    /// # Errors
    /// When the TLS stack cannot be initialised.
    pub fn new() -> Result<Self, HttpClientUnavailable> {
        // Reading the system's roots takes a while: not twice, since the second client
        // never speaks TLS.
        let loopback = builder().no_proxy().tls_certs_only([]);
        Ok(Self {
            remote: builder()
                .https_only(true)
                .build()
                .map_err(HttpClientUnavailable)?,
            loopback: loopback.build().map_err(HttpClientUnavailable)?,
            observer: None,
            time_limit: TOTAL_TIMEOUT,
        })
    }

    /// The same for requests that must be over sooner.
    pub(crate) fn within(self, time_limit: Duration) -> Self {
        Self {
            time_limit: time_limit.min(TOTAL_TIMEOUT),
            ..self
        }
    }

    /// Tells `observer` of each request.
    #[must_use]
    pub fn observed_by(self, observer: Arc<dyn RequestObserver>) -> Self {
        Self {
            observer: Some(observer),
            ..self
        }
    }

    /// Fetches a JSON document.
    pub(crate) async fn fetch(
        &self,
        kind: RequestKind,
        url: &Url,
    ) -> Result<Response<Vec<u8>>, HttpError> {
        let mut request = Request::get(url.as_str())
            .body(Vec::new())
            .map_err(|_| HttpError::Unacceptable("the URL cannot be requested"))?;
        request.headers_mut().insert(
            http::header::ACCEPT,
            HeaderValue::from_static("application/json"),
        );
        self.send(kind, request).await
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn send(
        &self,
        kind: RequestKind,
        request: Request<Vec<u8>>,
    ) -> Result<Response<Vec<u8>>, HttpError> {
        let began = Instant::now();
        // Exported where traces are; says no more than the observer hears.
        let span = tracing::debug_span!(
            target: "component_auth0::trace",
            "provider request",
            otel.kind = "client",
            request = ?kind,
            http.response.status_code = tracing::field::Empty,
        );
        let answer = self.exchange(request).instrument(span.clone()).await;
        let status = answer.as_ref().ok().map(Response::status);
        if let Some(status) = status {
            span.record("http.response.status_code", status.as_u16());
        }
        if let Some(observer) = &self.observer {
            observer.finished(kind, began.elapsed(), status);
        }
        answer
    }

    async fn exchange(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, HttpError> {
        let url = Url::parse(&request.uri().to_string())
            .map_err(|_| HttpError::Unacceptable("the URL cannot be requested"))?;
        if !is_transport_allowed(&url) {
            return Err(HttpError::Unacceptable("the URL is not https"));
        }
        let client = match url.scheme() {
            "http" => &self.loopback,
            _ => &self.remote,
        };
        let mut request = reqwest::Request::try_from(request)
            .map_err(|_| HttpError::Unacceptable("the request cannot be sent"))?;
        *request.timeout_mut() = Some(self.time_limit);
        let response = client.execute(request).await.map_err(unreachable)?;
        read_limited(response).await
    }
}

fn builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        // A redirect would carry credentials and trust to a place nobody configured
        // (SSRF, GHSA-993g-76c3-p5m4).
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        // No decompression: a few bytes could become gigabytes.
        .no_gzip()
        .no_brotli()
        .no_deflate()
        .no_zstd()
        .retry(reqwest::retry::never())
        .referer(false)
        .user_agent(concat!("component-auth0/", env!("CARGO_PKG_VERSION")))
}

async fn read_limited(mut response: reqwest::Response) -> Result<Response<Vec<u8>>, HttpError> {
    const TOO_LARGE: HttpError = HttpError::Unacceptable("the answer is too large");
    let limit = u64::try_from(BODY_LIMIT).unwrap_or(u64::MAX);
    if response
        .content_length()
        .is_some_and(|length| length > limit)
    {
        return Err(TOO_LARGE);
    }
    let mut head = Response::builder().status(response.status());
    if let Some(headers) = head.headers_mut() {
        *headers = std::mem::take(response.headers_mut());
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if body.len() + chunk.len() > BODY_LIMIT {
            return Err(TOO_LARGE);
        }
        body.extend_from_slice(&chunk);
    }
    head.body(body)
        .map_err(|_| HttpError::Unacceptable("the answer has an impossible head"))
}

/// Keeps the chain of causes as text, without the URL: its query may hold a secret.
fn unreachable(error: reqwest::Error) -> HttpError {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    HttpError::Unreachable(text)
}

/// `https` anywhere, plain `http` on this machine only.
pub(crate) fn is_transport_allowed(url: &Url) -> bool {
    match url.scheme() {
        "https" => true,
        "http" => is_loopback(url),
        _ => false,
    }
}

/// Whether the URL's host is this machine. Names below `localhost` are not: a resolver
/// may send them anywhere.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// The pause that the provider asks for, bounded. The date form is not read: it would
/// need the provider's clock.
pub(crate) fn retry_after<B>(response: &Response<B>) -> Option<Duration> {
    let seconds = response
        .headers()
        .get(RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()?;
    Some(Duration::from_secs(seconds).min(RETRY_AFTER_LIMIT))
}

#[cfg(test)]
mod hostile_servers;

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;
    use crate::test_support::{Answer, FakeProvider};

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    /// E05, E08: neither configuration nor metadata can lead us to plain http elsewhere.
    #[test]
    fn plain_http_stays_on_this_machine() {
        for good in [
            "https://a.test/",
            "http://localhost:1/",
            "http://127.8.8.8/",
            "http://[::1]/",
        ] {
            assert!(is_transport_allowed(&url(good)), "{good}");
        }
        for bad in [
            "http://a.test/",
            "http://localhost.a.test/",
            "http://a.localhost/",
            "http://[::ffff:7f00:1]/",
            "http://169.254.169.254/",
            "file:///etc/passwd",
            "data:,",
        ] {
            assert!(!is_transport_allowed(&url(bad)), "{bad}");
        }
    }

    #[tokio::test]
    async fn plain_http_elsewhere_is_refused_without_a_connection() {
        let client = HttpClient::new().unwrap();
        let error = client
            .fetch(RequestKind::Discovery, &url("http://192.0.2.1/"))
            .await
            .unwrap_err();
        assert!(matches!(error, HttpError::Unacceptable(_)), "{error}");
    }

    #[tokio::test]
    async fn bodies_above_the_limit_are_refused() {
        let provider = FakeProvider::start().await;
        let client = HttpClient::new().unwrap();
        for (length, is_accepted) in [(BODY_LIMIT, true), (BODY_LIMIT + 1, false)] {
            let answer = Answer::text(200, "text/plain", "x".repeat(length));
            provider.paths.elsewhere.answer(answer);
            match client
                .fetch(RequestKind::Discovery, &url(&provider.issuer))
                .await
            {
                Ok(response) => assert!(is_accepted && response.body().len() == length),
                Err(error) => {
                    assert!(
                        !is_accepted && matches!(error, HttpError::Unacceptable(_)),
                        "{error}"
                    );
                }
            }
        }
    }

    #[tokio::test]
    async fn bodies_without_end_are_cut_while_streaming() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            assert!(stream.read(&mut request).await.unwrap() > 0);
            let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
            stream.write_all(head.as_bytes()).await.unwrap();
            let chunk = format!("2000\r\n{}\r\n", "x".repeat(0x2000));
            while stream.write_all(chunk.as_bytes()).await.is_ok() {}
        });
        let error = HttpClient::new()
            .unwrap()
            .fetch(RequestKind::Discovery, &url(&address))
            .await
            .unwrap_err();
        assert!(matches!(error, HttpError::Unacceptable(_)), "{error}");
    }

    /// E06: a few bytes of gzip stay a few bytes.
    #[tokio::test]
    async fn nothing_is_decompressed() {
        let provider = FakeProvider::start().await;
        provider
            .paths
            .elsewhere
            .answer(Answer::text(200, "text/plain", "zipped").header("content-encoding", "gzip"));
        let client = HttpClient::new().unwrap();
        assert_eq!(
            client
                .fetch(RequestKind::Discovery, &url(&provider.issuer))
                .await
                .unwrap()
                .body(),
            b"zipped"
        );
    }

    #[tokio::test]
    async fn urls_do_not_show_in_errors() {
        let provider = FakeProvider::start().await;
        let address = url(&format!("{}/?code=canary", provider.issuer));
        drop(provider);
        let client = HttpClient::new().unwrap();
        let error = client
            .fetch(RequestKind::Discovery, &address)
            .await
            .unwrap_err();
        assert!(matches!(error, HttpError::Unreachable(_)), "{error}");
        assert!(!error.to_string().contains("canary"), "{error}");
    }

    #[test]
    fn pauses_that_the_provider_asks_for_are_bounded() {
        for (text, seconds) in [
            ("5", Some(5)),
            ("9999", Some(60)),
            ("-1", None),
            ("Mon, 01 Jan 2029 00:00:00 GMT", None),
        ] {
            let response = Response::builder()
                .header(RETRY_AFTER, text)
                .body(())
                .unwrap();
            assert_eq!(
                retry_after(&response).map(|pause| pause.as_secs()),
                seconds,
                "{text}"
            );
        }
    }

    #[derive(Default)]
    struct Heard(std::sync::Mutex<Vec<(RequestKind, Option<u16>)>>);

    impl RequestObserver for Heard {
        fn finished(&self, kind: RequestKind, _: Duration, status: Option<http::StatusCode>) {
            let status = status.map(|status| status.as_u16());
            self.0.lock().unwrap().push((kind, status));
        }
    }

    #[tokio::test]
    async fn the_observer_hears_of_answers_and_of_their_absence() {
        let provider = FakeProvider::start().await;
        let heard = Arc::new(Heard::default());
        let client = HttpClient::new().unwrap().observed_by(heard.clone());
        let answer = Answer::text(503, "text/plain", String::new());
        provider.paths.elsewhere.answer(answer);
        client
            .fetch(RequestKind::Keys, &url(&provider.issuer))
            .await
            .unwrap();
        let nowhere = url("http://192.0.2.1/");
        client
            .fetch(RequestKind::Discovery, &nowhere)
            .await
            .unwrap_err();
        let expected = [
            (RequestKind::Keys, Some(503)),
            (RequestKind::Discovery, None),
        ];
        assert_eq!(*heard.0.lock().unwrap(), expected);
    }
}
