#pragma once

#include <optional>

namespace esper::cli {

/// The keys that are pressed while a run goes on, without waiting for Enter and without showing
/// them. Ctrl-C and Ctrl-Z stay what they are. One object at a time.
class KeyPresses {
  public:
    /// Takes the keys if `wanted`, standard input is a terminal and this command is in its
    /// foreground.
    explicit KeyPresses(bool wanted);
    /// The terminal is as it was.
    ~KeyPresses();
    KeyPresses(const KeyPresses&) = delete;
    KeyPresses& operator=(const KeyPresses&) = delete;

    static bool are_taken();
    /// The next key that was pressed, without waiting for one.
    static std::optional<char> next();
};

/// Ends the taking of keys. Safe from a signal handler.
void give_keys_back();

}  // namespace esper::cli
