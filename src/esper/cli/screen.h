#pragma once

#include <chrono>
#include <deque>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>

#include "esper/cli/live_panel.h"
#include "esper/cli/print.h"
#include "esper/cli/terminal.h"
#include "esper/services/tolaria/run/trainer.h"

namespace esper::cli {

/// How a run shows itself while it goes on. On a terminal: a line for each epoch and decision, and
/// below them a bar with rate and time left and, where there is room, a LivePanel; elsewhere the
/// lines alone. With `json`, standard output gets
/// one JSON line for each epoch and event besides. `quiet` silences standard error.
class Screen {
  public:
    Screen(bool as_json, bool quiet, Terminal terminal = Terminal::of_stderr())
        : json_(as_json), quiet_(quiet), terminal_(terminal) {}

    /// What is about to be trained, in one line.
    void begin(tolaria::Trainer& trainer, const std::string& folder);
    void progress(const tolaria::Progress& progress);
    void event(const nlohmann::json& event);
    /// Whether it shows more than lines.
    bool is_live() const { return terminal_.bar && !quiet_; }
    /// How the run ended.
    void end(const nlohmann::json& run, const std::string& folder);

  private:
    using Instant = std::chrono::steady_clock::time_point;
    void line(std::string_view colour, const std::string& text);
    void draw_bar(const tolaria::Progress& progress);
    void wipe_bar();
    /// Steps a second over the last half minute; 0 while unknown.
    double steps_per_second(std::int64_t step);
    /// How long the epoch took that ends here, at which rate, and what that leaves to wait for.
    struct Pace {
        double seconds = 0;
        double examples_per_second = 0;
        double seconds_left = 0;
    };
    Pace end_of_epoch(const tolaria::Progress& progress);
    void show_epoch(const tolaria::Progress& progress);

    bool json_;
    bool quiet_;
    Terminal terminal_;
    tolaria::Trainer* trainer_ = nullptr;  ///< of begin(), until end()
    LivePanel panel_;
    int lines_shown_ = 0;  ///< of bar and panel
    std::int64_t batch_size_ = 0;
    std::deque<std::pair<Instant, std::int64_t>> past_;
    Instant epoch_began_ = std::chrono::steady_clock::now();
    std::int64_t epoch_began_at_ = 0;  ///< the step
};

}  // namespace esper::cli
