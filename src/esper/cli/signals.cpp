#include "esper/cli/signals.h"

#include <atomic>
#include <csignal>

#include "esper/cli/key_presses.h"
#include "esper/services/tolaria/run/trainer.h"

namespace esper::cli {

namespace {

std::atomic<tolaria::Trainer*> running{nullptr};
std::atomic<bool> stop_asked{false};

// The second signal ends the process as it would have without us.
extern "C" void on_stop_signal(int signal) {
    stop_asked.store(true);
    if (auto* trainer = running.load()) trainer->request_stop();
    give_keys_back();  // the next signal ends the process where it is
    std::signal(signal, SIG_DFL);
}

// Whoever read the output has gone: the run ends as after Ctrl-C, and later writes are errors.
extern "C" void on_lost_reader(int) {
    stop_asked.store(true);
    if (auto* trainer = running.load()) trainer->request_stop();
}

extern "C" void on_rollback_signal(int) {
    if (auto* trainer = running.load()) trainer->request_rollback();
}

}  // namespace

void take_stop_signals() {
    std::signal(SIGINT, on_stop_signal);
    std::signal(SIGTERM, on_stop_signal);
    std::signal(SIGPIPE, on_lost_reader);
}

bool is_stop_asked() { return stop_asked.load(); }

SignalsToTrainer::SignalsToTrainer(tolaria::Trainer& trainer) {
    running.store(&trainer);
    std::signal(SIGUSR1, on_rollback_signal);
    if (stop_asked.load())
        trainer.request_stop();
    else if (trainer.config().checkpoint.on_signal)
        take_stop_signals();
}

SignalsToTrainer::~SignalsToTrainer() {
    std::signal(SIGINT, SIG_DFL);
    std::signal(SIGTERM, SIG_DFL);
    std::signal(SIGUSR1, SIG_IGN);
    std::signal(SIGPIPE, SIG_IGN);  // what is printed at the end fails, and the exit code says so
    running.store(nullptr);
}

}  // namespace esper::cli
