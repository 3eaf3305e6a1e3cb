//! Why a call of a plugin had no result, as a [`Fault`] with a stable code.

use std::str::Utf8Error;

use cim_core::projection::Fault;
use wasmtime::Trap;

use super::bindings::cim::plugin::types::Failure;
use super::options::PluginLimits;

/// The longest code that a plugin may give its failure.
const MAX_CODE: usize = 64;

/// The longest message of a plugin's failure, in characters: it goes into tables and terminals.
const MAX_MESSAGE: usize = 1000;

/// What wasmtime says when more crosses back than is allowed. Its type is private, so the text has
/// to tell it; the version is pinned, and a test finds a change.
const TOO_MUCH: &str = "too much data is being copied between the host and the guest";

/// The fault of a call that was stopped.
pub(super) fn of(
    error: &wasmtime::Error,
    memory_refused: bool,
    limits: &PluginLimits,
    events: usize,
) -> Fault {
    let mib = |bytes: usize| format!("{} MiB", bytes.div_ceil(1 << 20));
    if memory_refused {
        let memory = mib(limits.memory_bytes);
        let message = format!("the plugin wanted more than {memory} of memory");
        return fault("out-of-memory", message);
    }
    if let Some(trap) = error.downcast_ref::<Trap>() {
        return match trap {
            Trap::Interrupt => {
                let time = limits.call_time(events).as_millis();
                fault(
                    "out-of-time",
                    format!("the plugin ran longer than {time} ms"),
                )
            }
            Trap::OutOfFuel => {
                let fuel = limits.call_fuel(events);
                let message = format!("the plugin took more than {fuel} units of fuel");
                fault("out-of-fuel", message)
            }
            Trap::StackOverflow => {
                let stack = limits.stack_bytes >> 10;
                let message = format!("the plugin wanted more than {stack} KiB of stack");
                fault("out-of-stack", message)
            }
            trap => {
                let why = trap.to_string();
                let why = why.trim_start_matches("wasm trap: ");
                fault("trapped", format!("the plugin trapped: {why}"))
            }
        };
    }
    if error.chain().any(|cause| cause.is::<Utf8Error>()) {
        let message = "a text in the plugin's answer is not UTF-8".to_owned();
        return fault("answer-not-utf8", message);
    }
    let why = error.root_cause().to_string();
    if why.starts_with(TOO_MUCH) {
        let answer = mib(limits.answer_bytes);
        let message = format!("the plugin's answer has more than {answer}");
        return fault("answer-too-large", message);
    }
    fault(
        "answer-invalid",
        format!("the plugin's answer cannot be read: {}", clean(&why)),
    )
}

/// The fault of a host that has no room for an instance.
pub(super) fn no_instance(error: &wasmtime::Error) -> Fault {
    let why = clean(&error.root_cause().to_string());
    Fault {
        retryable: true,
        ..fault(
            "no-instance",
            format!("the host cannot make an instance of the plugin: {why}"),
        )
    }
}

/// The fault that a plugin reports itself about a call with so many events.
pub(super) fn reported(failure: Failure, events: usize) -> Fault {
    let kebab = |code: &str| {
        let parts = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        };
        code.len() <= MAX_CODE && code.split('-').all(parts)
    };
    let message = clean(&failure.message);
    Fault {
        code: if kebab(&failure.code) {
            failure.code
        } else {
            "plugin-failed".to_owned()
        },
        message: if message.is_empty() {
            "the plugin does not say why".to_owned()
        } else {
            message
        },
        index: failure
            .index
            .map(|index| index as usize)
            .filter(|index| *index < events),
        retryable: failure.retryable,
    }
}

/// A text of a plugin, cut, and without what a terminal would obey.
pub(super) fn clean(text: &str) -> String {
    text.chars()
        .take(MAX_MESSAGE)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

pub(super) fn fault(code: &str, message: String) -> Fault {
    Fault {
        code: code.to_owned(),
        message,
        index: None,
        retryable: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_plugin_reports_is_made_harmless() {
        let failure = |code: &str, message: &str| Failure {
            index: Some(7),
            code: code.to_owned(),
            message: message.to_owned(),
            retryable: true,
        };
        let fault = reported(failure("amount-negative", "no"), 8);
        assert_eq!(
            (&*fault.code, &*fault.message, fault.index, fault.retryable),
            ("amount-negative", "no", Some(7), true)
        );
        let fault = reported(failure("Amount\u{1b}[31m", "\u{1b}[31mred\n"), 7);
        assert_eq!(
            (&*fault.code, &*fault.message, fault.index),
            ("plugin-failed", "\u{fffd}[31mred\u{fffd}", None)
        );
        let long = reported(failure(&"a".repeat(65), &"ä".repeat(5000)), 8);
        assert_eq!(
            (&*long.code, long.message.chars().count()),
            ("plugin-failed", 1000)
        );
    }
}
