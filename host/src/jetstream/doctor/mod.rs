//! What `cim doctor` looks at on NATS: facts are gathered by [`examine`], [`judge`] says what they
//! mean.
//!
//! What a user sees of a server depends on the user. Of itself, a plain user sees the server's
//! version, JetStream's limits and streams of its account, its own permissions and the server's
//! clock (`$SYS.REQ.USER.INFO`). Whether acknowledged messages are on the disk stands in the
//! server's settings, which a user of the system account sees, one whose account imports
//! `$SYS.REQ.SERVER.PING.VARZ`, and whoever reaches the monitoring port.

mod examine;
mod facts;
mod judge;
mod monitor;
mod permissions;

pub use self::examine::{Examination, examine};
pub use self::facts::{Clock, Facts, IndexFacts, ServerSettings, StreamFacts, Sync, Unseen, User};
pub use self::judge::judge;
pub use self::permissions::{Allowed, Permissions};
