#pragma once

#include <sys/types.h>

#include <csignal>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "esper/base/error.h"

namespace esper::cli {

/// Runs `esper` with other words in processes of its own, so that one that fails takes no other
/// with it. While it lives, Ctrl-C and SIGTERM are passed on to them, which end with a checkpoint;
/// so do they when this process is killed. One at a time, from one thread.
class RunProcesses {
  public:
    RunProcesses();
    ~RunProcesses();
    RunProcesses(const RunProcesses&) = delete;
    RunProcesses& operator=(const RunProcesses&) = delete;

    /// Starts one; what it prints is added to the file `log`. Error: FileError::kUnwritable, or
    /// kUnreadable where no process can be made.
    Status start(std::size_t number, const std::vector<std::string>& words,
                 const std::filesystem::path& log);
    struct Ended {
        std::size_t number = 0;
        int exit_code = 0;  ///< 128 and the signal's number where a signal ended it
    };
    /// Waits until one ends; nothing where none runs.
    std::optional<Ended> wait();

    std::size_t running() const { return children_.size(); }
    /// Whether a signal asked to stop.
    bool is_stopping() const { return stopping_; }

  private:
    struct Child {
        pid_t process = 0;
        std::size_t number = 0;
    };
    std::optional<Ended> take_ended();
    std::vector<Child> children_;
    sigset_t taken_{};
    sigset_t before_{};
    bool stopping_ = false;
};

}  // namespace esper::cli
