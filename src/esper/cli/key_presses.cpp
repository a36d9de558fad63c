#include "esper/cli/key_presses.h"

#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <atomic>

namespace esper::cli {

namespace {

std::atomic<bool> taken{false};
termios before{};  ///< the terminal's settings, while keys are taken

// From the background a terminal's settings cannot be changed: the process would be stopped.
bool is_in_foreground() { return ::tcgetpgrp(STDIN_FILENO) == ::getpgrp(); }

}  // namespace

KeyPresses::KeyPresses(bool wanted) {
    if (!wanted || ::isatty(STDIN_FILENO) != 1 || !is_in_foreground()) return;
    if (::tcgetattr(STDIN_FILENO, &before) != 0) return;
    auto settings = before;
    settings.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    settings.c_cc[VMIN] = 0;
    settings.c_cc[VTIME] = 0;
    if (::tcsetattr(STDIN_FILENO, TCSANOW, &settings) == 0) taken.store(true);
}

KeyPresses::~KeyPresses() { give_keys_back(); }

bool KeyPresses::are_taken() { return taken.load(); }

std::optional<char> KeyPresses::next() {
    if (!are_taken() || !is_in_foreground()) return std::nullopt;
    pollfd input{STDIN_FILENO, POLLIN, 0};
    char key = 0;
    if (::poll(&input, 1, 0) != 1 || ::read(STDIN_FILENO, &key, 1) != 1) return std::nullopt;
    return key;
}

void give_keys_back() {
    if (taken.exchange(false) && is_in_foreground()) ::tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

}  // namespace esper::cli
