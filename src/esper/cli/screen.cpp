#include "esper/cli/screen.h"

#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "esper/base/text.h"
#include "esper/cli/key_presses.h"
#include "esper/program/cost/cost.h"
#include "esper/services/records/event_text.h"

namespace esper::cli {

using nlohmann::json;
using tolaria::Progress;

void print_json_line(const json& line) {
    std::printf("%s\n", line.dump(-1, ' ', false, json::error_handler_t::replace).c_str());
    std::fflush(stdout);
}

void Screen::begin(tolaria::Trainer& trainer, const std::string& folder) {
    trainer_ = &trainer;
    const auto& config = trainer.config();
    const auto& program = *trainer.program();
    batch_size_ = config.data.batch_size;
    epoch_began_ = std::chrono::steady_clock::now();
    epoch_began_at_ = trainer.step();
    const auto cost = graph::count_cost(program);
    const double flops = cost ? static_cast<double>(cost->training_flops) : 0;
    const auto precision = contracts::to_text(config.run.precision);
    const auto& budget = trainer.course().budget();
    const auto left = budget.is_set()
                          ? "a budget of " + budget.in_words() + " in steps"
                          : fmt::format("{} steps", trainer.length().total_steps - trainer.step());
    if (json_)
        print_json_line({{"event", "start"},
                         {"folder", folder},
                         {"program", program.name()},
                         {"anchors", program.anchors().size()},
                         {"seed_slots", trainer.seed_slots()},
                         {"parameters", program.parameter_count()},
                         {"training_flops_per_example", flops},
                         {"precision", precision},
                         {"threads", config.run.threads},
                         {"step", trainer.step()},
                         {"total_steps", trainer.length().total_steps}});
    line(terminal_.bold(),
         fmt::format("{}: {} anchors, {} sleeping seeds, {} parameters; {} on {} thread{}; {} "
                     "of {} examples, {} FLOPs each; in {}",
                     program.name(), program.anchors().size(), trainer.seed_slots(),
                     human_count(static_cast<double>(program.parameter_count())), precision,
                     config.run.threads, config.run.threads == 1 ? "" : "s", left, batch_size_,
                     human_count(flops), folder));
}

void Screen::progress(const Progress& p) {
    if (p.validation_loss) show_epoch(p);
    if (is_live()) draw_bar(p);
}

void Screen::show_epoch(const Progress& p) {
    const Pace pace = end_of_epoch(p);
    panel_.add_epoch(p.train_loss, *p.validation_loss, pace.examples_per_second);
    if (json_)
        print_json_line(
            {{"event", "epoch"},
             {"epoch", p.epoch},
             {"step", p.step},
             {"train_loss", p.train_loss},
             {"val_loss", *p.validation_loss},
             {"val_accuracy",
              p.validation_metrics.accuracy ? json(*p.validation_metrics.accuracy) : json()},
             {"val_metrics", tolaria::to_json(p.validation_metrics)},
             {"seconds", pace.seconds},
             {"examples_per_second", pace.examples_per_second}});
    auto text = fmt::format(
        "epoch {:3}  step {:6}/{}  train loss {:.4f}  val loss {:.4f}  val {}  {}, {} examples/s",
        p.epoch, p.step, p.total_steps, p.train_loss, *p.validation_loss,
        tolaria::in_words(p.validation_metrics), human_seconds(pace.seconds),
        human_count(pace.examples_per_second));
    // On a terminal the bar says so all the time.
    if (!terminal_.bar && p.step < p.total_steps)
        text += fmt::format(", {} left", human_seconds(pace.seconds_left));
    line("", text);
}

Screen::Pace Screen::end_of_epoch(const Progress& p) {
    const auto now = std::chrono::steady_clock::now();
    Pace pace;
    pace.seconds = std::chrono::duration<double>(now - epoch_began_).count();
    const auto steps = static_cast<double>(p.step - epoch_began_at_);
    if (pace.seconds > 0 && steps > 0) {
        pace.examples_per_second = steps * static_cast<double>(batch_size_) / pace.seconds;
        pace.seconds_left = static_cast<double>(p.total_steps - p.step) * pace.seconds / steps;
    }
    epoch_began_ = now;
    epoch_began_at_ = p.step;
    return pace;
}

void Screen::event(const json& event) {
    if (json_) print_json_line(event);
    if (event.value("event", "") == "rollback") {
        epoch_began_ = std::chrono::steady_clock::now();
        epoch_began_at_ = event.value("to_step", epoch_began_at_);
        past_.clear();
    }
    const auto described = records::describe_event(event);
    if (described.tone == records::EventTone::kNone) return;
    const auto colour = described.tone == records::EventTone::kGood     ? terminal_.green()
                        : described.tone == records::EventTone::kCulled ? terminal_.yellow()
                        : described.tone == records::EventTone::kBad    ? terminal_.red()
                                                                        : std::string_view();
    line(colour,
         fmt::format("step {:6}  {}", event.value("step", std::int64_t{0}), described.text));
}

void Screen::end(const json& run, const std::string& folder) {
    wipe_bar();
    trainer_ = nullptr;
    if (!json_) return;
    auto last = run;
    last["event"] = "end";
    last["folder"] = folder;
    print_json_line(last);
}

void Screen::line(std::string_view colour, const std::string& text) {
    if (quiet_) return;
    wipe_bar();
    const auto plain = colour.empty() ? std::string_view() : terminal_.plain();
    std::fputs(fmt::format("{}{}{}\n", colour, text, plain).c_str(), stderr);
}

void Screen::wipe_bar() {
    if (lines_shown_ > 0) std::fputs("\r\033[K", stderr);
    for (; lines_shown_ > 1; --lines_shown_) std::fputs("\033[A\033[K", stderr);
    lines_shown_ = 0;
}

double Screen::steps_per_second(std::int64_t step) {
    const auto now = std::chrono::steady_clock::now();
    past_.emplace_back(now, step);
    while (past_.size() > 2 && now - past_.front().first > std::chrono::seconds(30))
        past_.pop_front();
    const double seconds = std::chrono::duration<double>(now - past_.front().first).count();
    return seconds > 0 ? static_cast<double>(step - past_.front().second) / seconds : 0;
}

void Screen::draw_bar(const Progress& p) {
    const double done = static_cast<double>(p.step) / static_cast<double>(p.total_steps);
    const double rate = steps_per_second(p.step);
    auto text = fmt::format(" {:5.1f} %  loss {:.4f}", 100 * done, p.train_loss);
    if (rate > 0)
        text += fmt::format("  {} examples/s  {} left",
                            human_count(rate * static_cast<double>(batch_size_)),
                            human_seconds(static_cast<double>(p.total_steps - p.step) / rate));
    const int room = std::min(40, terminal_.columns - static_cast<int>(text.size()) - 1);
    std::string bar;
    for (int i = 0; i < room; ++i) bar += i < static_cast<int>(done * room) ? "━" : "┄";
    wipe_bar();
    auto shown = std::string(clipped(bar + text, std::max(0, terminal_.columns - 1)));
    lines_shown_ = 1;
    constexpr int kLeastColumns = 60, kLeastRows = 10;
    if (trainer_ != nullptr && terminal_.columns >= kLeastColumns && terminal_.rows >= kLeastRows)
        for (const auto& line :
             panel_.lines(*trainer_, terminal_.columns - 1, KeyPresses::are_taken())) {
            shown += "\n";
            shown += clipped(line, terminal_.columns - 1);
            ++lines_shown_;
        }
    std::fputs(shown.c_str(), stderr);
    std::fflush(stderr);
}

}  // namespace esper::cli
