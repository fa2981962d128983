//! What fits each setting and what does not, as data: the reading of it is in the tests beside.

/// A secret production starts with.
pub(super) const SECRET: &str = "k3Jd9-qLw0_ZxV7bNm2TyR5uHs8PfGcA";
/// Another.
pub(super) const OTHER_SECRET: &str = "Qp4sT1vX8zC6bN0mK7jH3gF5dS2aLwEr";

/// One row a setting: values that fit and values that do not, boundaries among them, each read in production.
pub(super) type Row = (&'static str, &'static [&'static str], &'static [&'static str]);

pub(super) const ROWS: &[Row] = &[
    ("ENVIRONMENT", &["production"], &["staging", "Production", "prod"]),
    ("HOST", &["127.0.0.1", "::"], &["localhost", "0.0.0.0:80", "256.0.0.1"]),
    ("PORT", &["0", "1", "65535"], &["65536", "-1", "http", "8080/tcp"]),
    (
        "ADMIN_ADDR",
        &["127.0.0.1:9090", "[::]:9090", "0.0.0.0:0"],
        &["9090", "localhost:9090", "0.0.0.0:8080"],
    ),
    ("PUBLIC_URL", &["https://a.test", "http://a.test:8080", "https://[::1]"], BAD_PUBLIC_URLS),
    ("WEB", &["true", "false"], &["yes", "1", "TRUE"]),
    ("READY_REQUIRES_BACKEND", &["true", "false"], &["no"]),
    ("WORKER_THREADS", &["1", "256"], &["0", "257", "two"]),
    (
        "ALLOWED_ORIGINS",
        &["https://a.test", "https://a.test, app://b"],
        &["*", "null", "https://a.test/x", "a.test,"],
    ),
    ("JWT_SECRET", &[SECRET, "0123456789abcdef0123456789abcdef"], BAD_SECRETS),
    ("JWT_SECRET_PREVIOUS", &[OTHER_SECRET], BAD_SECRETS),
    ("TOKEN_TTL", &["60", "7m", "168h", "604800"], &["59", "59999ms", "604801", "1d"]),
    ("SERVER_API_KEYS", GOOD_KEYS, BAD_KEYS),
    ("SESSION_TTL", &["60", "720h"], &["59", "721h", "forever"]),
    ("SESSION_MAX_PARTICIPANTS", &["1", "100000"], &["0", "100001", "1e3"]),
    ("PARTICIPANT_LEASE", &["10", "300", "5m"], &["9", "301", "9999ms"]),
    ("HISTORY_ENTRIES", &["100", "100000"], &["99", "100001"]),
    ("HISTORY_AGE", &["0", "10m", "24h"], &["-1", "25h"]),
    ("HISTORY_BYTES", &["0", "8MiB", "1024MiB"], &["-1", "1025MiB"]),
    ("MESSAGE_BYTES", &["4096", "4KiB", "256KiB"], &["4095", "2MiB", "1048577", "64KB"]),
    (
        "REDIS_URL",
        GOOD_REDIS_URLS,
        &["http://a:1", "redis+sentinel://a:1", "redis-cluster://a:1/0", "redis://"],
    ),
    ("REDIS_ADDR", &["redis:6379", "[::1]:6379"], &["redis", "redis:", ":6379", "redis:0", "redis://a:1"]),
    ("REDIS_PASSWORD", &[], &["word"]),
    ("REDIS_SENTINEL_PASSWORD", &[], &["word"]),
    ("REDIS_CA_FILE", &[], &["/nonexistent/ca.pem"]),
    ("REDIS_PREFIX", &["w", "wp-2", "abcdefghijklmnopqrstuvwxyz012345"], BAD_PREFIXES),
    ("DURABILITY", &["auto", "memory"], &["aof", "fsync", "replicated", "disk"]),
    ("DURABILITY_REPLICAS", &["1", "5"], &["0", "6"]),
    ("RATE_LIMIT_CREATE", RATES, BAD_RATES),
    ("RATE_LIMIT_JOIN", RATES, BAD_RATES),
    ("RATE_LIMIT_LOOKUP", RATES, BAD_RATES),
    ("RATE_LIMIT_PUBLISH", RATES, BAD_RATES),
    ("RATE_LIMIT_CONNECT", RATES, BAD_RATES),
    ("RATE_LIMIT_JOIN_FAILURES", RATES, BAD_RATES),
    ("RATE_LIMIT_ON_OUTAGE", &["allow", "deny"], &["off"]),
    ("RATE_LIMIT_MESSAGES", RATES, BAD_RATES),
    ("RATE_LIMIT_SIGNALS", RATES, BAD_RATES),
    ("RATE_LIMIT_BYTES", &["off", "1/s:65536", "65536/s"], &["1/s:65535", "65535/s", "none"]),
    ("CONNECTIONS_MAX", &["1", "4294967295"], &["0", "4294967296", "many"]),
    ("CONNECTIONS_PER_ADDRESS", &["1"], &["0"]),
    ("CONNECTIONS_PENDING_PER_ADDRESS", &["1"], &["0"]),
    ("PING_INTERVAL", &["11", "55"], &["4", "56"]),
    ("PONG_TIMEOUT", &["1", "24"], &["0", "31", "25"]),
    ("DEFLATE", &["true", "false"], &["on"]),
    ("OUTBOX_FRAMES", &["1"], &["0"]),
    ("OUTBOX_BYTES", &["65536", "64KiB"], &["65535", "0"]),
    ("OUTBOX_BEHIND", &["1", "1h"], &["0", "61m"]),
    ("OUTBOX_BYTES_TOTAL", &["65536", "1024MiB"], &["65535", "1GiB"]),
    ("DRAIN_DELAY", &["0", "600"], &["601", "-1"]),
    ("DRAIN_WINDOW", &["0", "10m"], &["601"]),
    ("BCRYPT_COST", &["10", "14"], &["9", "15"]),
    ("BCRYPT_WORKERS", &["1"], &["0"]),
    ("BCRYPT_QUEUE", &["1"], &["0"]),
    (
        "TRUSTED_PROXIES",
        &["10.0.0.0/8", "10.1.2.3/8, fd00::/8"],
        &["10.0.0.1", "0.0.0.0/0", "::/0", "10.0.0.0/33"],
    ),
    ("CLIENT_IP_HEADER", &[], &["x-client-ip", "x-real-ip"]),
    ("LOG_LEVEL", &["off", "INFO", "warn,watchparty::ws=trace"], &["verbose", "info,", "info;debug"]),
    ("LOG_FORMAT", &["text", "json"], &["pretty"]),
    (
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        &["http://collector:4318", "http://[::1]:4318/", "http://collector/base/"],
        &[
            "collector:4318",
            "https://collector",
            "http://u:p@collector",
            "http://collector/?x",
            "http://",
            "http://a:0x",
        ],
    ),
    ("OTEL_TRACES_SAMPLER_ARG", &["0", "0.01", "1"], &["-0.1", "1.1", "NaN", "half"]),
    ("TURN_URLS", &[], &["turn:a.test"]),
    ("TURN_SECRET", &[], &["word"]),
    ("TURN_TTL", &["60", "168h"], &["59", "169h"]),
];

const BAD_PUBLIC_URLS: &[&str] = &[
    "a.test",
    "https://a.test/",
    "https://a.test/x",
    "https://a.test?x",
    "https://u:p@a.test",
    "ftp://a.test",
    "*",
];
pub(super) const BAD_SECRETS: &[&str] = &[
    "0123456789abcdef0123456789abcde",
    "abcdefghiabcdefghiabcdefghiabcdefghi",
    "CHANGE-ME-0123456789-abcdefghijklmnop",
    "changeme-0123456789-abcdefghijklmnop",
    "your-secret-0123456789-abcdefghijklmnop",
    "example-0123456789-abcdefghijklmnop",
    "my-PlaceHolder-0123456789-abcdefghijklmnop",
    "insecure-0123456789-abcdefghijklmnop",
];
const GOOD_KEYS: &[&str] = &[
    "0123456789abcdef0123456789abcdef",
    "site:0123456789abcdef0123456789abcdef, bot_2:fedcba9876543210fedcba9876543210",
];
const BAD_KEYS: &[&str] = &[
    "0123456789abcdef0123456789abcde",
    "site:0123456789abcdef0123456789abcde",
    "Site:0123456789abcdef0123456789abcdef",
    ":0123456789abcdef0123456789abcdef",
    "a:0123456789abcdef0123456789abcdef,a:fedcba9876543210fedcba9876543210",
    "key-2:0123456789abcdef0123456789abcdef,fedcba9876543210fedcba9876543210",
    "0123456789abcdef0123456789abcdef,",
];
const GOOD_REDIS_URLS: &[&str] = &[
    "redis://localhost:6379",
    "rediss://u:p@a.test:6380/3",
    "redis+sentinel://a:1,b:2/m/1",
    "rediss+sentinel://a:1/m",
    "redis-cluster://a:1,b:2",
    "rediss-cluster://a:1",
];
const BAD_PREFIXES: &[&str] = &["Wp", "w:p", "w p", "w_p", "abcdefghijklmnopqrstuvwxyz0123456"];
const RATES: &[&str] = &["off", "1/s", "30/m:60", "4294967295/h"];
const BAD_RATES: &[&str] = &["0/s", "30", "30/d", "30/m:0", "unlimited", "-1/s"];
