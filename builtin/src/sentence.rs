//! Values in the messages of errors.

use serde_json::Value;

/// A value in a message; long ones are shortened.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Array(_) => "an array".into(),
        Value::Object(_) => "an object".into(),
        other => {
            let text = other.to_string();
            if text.len() <= 64 {
                text
            } else {
                format!("{} …", text.chars().take(60).collect::<String>())
            }
        }
    }
}
