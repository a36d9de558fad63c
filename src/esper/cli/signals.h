#pragma once

namespace esper::tolaria {
class Trainer;
}

namespace esper::cli {

/// Exit code of a command that a signal ended.
inline constexpr int kInterrupted = 130;

/// Takes Ctrl-C and SIGTERM while a run is being prepared. The first one is kept for the trainer,
/// which then stops before its first step; the second one ends the process.
void take_stop_signals();

/// Whether a signal that was taken has asked for the end.
bool is_stop_asked();

/// While it lives, Ctrl-C and SIGTERM ask the trainer to stop, if checkpoint.on_signal says so, and
/// SIGUSR1 asks it for a rollback. One at a time.
class SignalsToTrainer {
  public:
    explicit SignalsToTrainer(tolaria::Trainer& trainer);
    ~SignalsToTrainer();
    SignalsToTrainer(const SignalsToTrainer&) = delete;
    SignalsToTrainer& operator=(const SignalsToTrainer&) = delete;
};

}  // namespace esper::cli
