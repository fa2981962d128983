//! The address of sockets: `GET /ws/{id}`. Refuses with a status what needs no explanation, and hands the rest to its own task.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::connection::{Arrival, serve};
use super::upgrade::{self, Refusal, SUBPROTOCOL};
use super::{Sockets, closing};
use crate::backend::limiter::Scope;
use crate::metrics::label::{RateScope, RefusedReason};
use crate::model::address::LimitKey;
use crate::model::entry::{Epoch, Seq};
use crate::model::id::SessionId;
use crate::model::rate::RateLimit;
use crate::protocol::inbound::Resume;
use crate::protocol::problem::{Code, Fault};
