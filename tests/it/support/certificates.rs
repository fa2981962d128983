//! A CA of the tests' own and a certificate for 127.0.0.1, made by `openssl` once for each test process.
//!
//! They are kept as text and written where a server wants them: a directory that all tests share would outlive them. Nobody trusts this
//! CA who was not told to, which is half of what is tested with it.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use super::process::TempDir;

/// What a server shows and its clients check, as PEM.
pub struct Certificates {
    /// The CA's own certificate: what clients are to trust.
    pub ca: String,
    /// The server's certificate, for the address 127.0.0.1.
    pub server: String,
    /// Its key.
    pub key: String,
}

impl Certificates {
    /// Those of this process.
    pub fn get() -> &'static Certificates {
        static MADE: OnceLock<Certificates> = OnceLock::new();
        MADE.get_or_init(Certificates::make)
    }

    fn make() -> Certificates {
        let dir = TempDir::new("certificates");
        let run = |line: &str| {
            let output = Command::new("openssl").args(line.split(' ')).current_dir(dir.path()).output();
            let output = output.expect("openssl is installed (scripts/install-test-deps.sh)");
            assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        };
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
        run(&format!("req -x509 {key} -keyout ca.key -out ca.pem -days 2 -subj /CN=a-test-ca"));
        run(&format!("req {key} -keyout redis.key -out redis.csr -subj /CN=redis"));
        let extensions = "subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n";
        std::fs::write(dir.path().join("extensions"), extensions).unwrap();
        let sign = "x509 -req -in redis.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out redis.pem";
        run(&format!("{sign} -days 2 -extfile extensions"));
        let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
        Certificates { ca: read("ca.pem"), server: read("redis.pem"), key: read("redis.key") }
    }

    /// Writes `ca.pem`, `redis.pem` and `redis.key` into a directory.
    pub fn write(&self, dir: &Path) {
        for (name, text) in [("ca.pem", &self.ca), ("redis.pem", &self.server), ("redis.key", &self.key)] {
            std::fs::write(dir.join(name), text).unwrap();
        }
    }
}
