#include "esper/cli/drive.h"

#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "esper/base/own_file.h"
#include "esper/base/text.h"
#include "esper/cli/command_log.h"
#include "esper/cli/field_reports.h"
#include "esper/cli/key_presses.h"
#include "esper/cli/run_state.h"
#include "esper/cli/screen.h"
#include "esper/cli/signals.h"
#include "esper/services/records/printable_text.h"
#include "esper/services/records/report_data.h"
#include "esper/services/records/run_files.h"
#include "esper/services/records/summary.h"

namespace esper::cli {

namespace {

/// A finished run in one line, for those who asked for quiet.
std::string result_line(const nlohmann::json& run, const std::filesystem::path& folder) {
    const auto figure = [&](const char* key) {
        const auto it = run.find(key);
        return it != run.end() && it->is_number() ? it->get<double>() : 0.0;
    };
    return fmt::format("{}: validation loss {:.4f}{}; {} parameters; {}\n", folder.string(),
                       figure("val_loss"), records::metrics_in_words(run, "val"),
                       human_count(figure("parameters")), human_seconds(figure("wall_seconds")));
}

Result<tolaria::RunStatus> run(tolaria::Trainer& trainer) {
    const SignalsToTrainer signals(trainer);
    return trainer.run();
}

/// What a key asks for, if it asks for anything.
void press(tolaria::Trainer& trainer, char key) {
    using records::ControlAction;
    const auto* growth = trainer.growth();
    if (key == 'c') trainer.request({ControlAction::kCheckpoint, "the terminal"});
    if (key == 'q') trainer.request({ControlAction::kStop, "the terminal"});
    if (key == 'p')
        trainer.request({growth != nullptr && growth->is_paused() ? ControlAction::kResumeGrowth
                                                                  : ControlAction::kPauseGrowth,
                         "the terminal"});
}

/// What was written before anybody listened: all events of a new run, the change of a resumed one.
void print_events_of_start(const tolaria::Trainer& trainer, const std::filesystem::path& folder) {
    const auto text = read_own_file(folder / "events.jsonl");
    if (!text) return;
    std::vector<std::string> lines = split(*text, '\n');
    std::erase(lines, "");
    if (trainer.step() > 0 && !lines.empty()) lines.erase(lines.begin(), lines.end() - 1);
    for (const auto& line : lines) {
        const auto event = nlohmann::json::parse(line, nullptr, false);
        if (event.is_discarded()) continue;
        if (trainer.step() == 0 || event.value("event", "") == "resumed_with")
            print_json_line(event);
    }
}

}  // namespace

int drive(tolaria::Trainer& trainer, const std::filesystem::path& folder,
          const OutputFlags& flags) {
    const auto log = CommandLog::open(trainer.config().logging);
    if (!log) return report_error(log.error());
    Screen screen(flags.json, flags.quiet);
    std::optional<KeyPresses> keys(std::in_place, screen.is_live());
    trainer.on_progress([&](const tolaria::Progress& p) {
        screen.progress(p);
        while (const auto key = KeyPresses::next()) press(trainer, *key);
    });
    trainer.on_event([&](const nlohmann::json& event) {
        screen.event(event);
        log_event(event);
    });
    ESPER_LOG_INFO("training begins", utils::kv("folder", folder.string()),
                   utils::kv("step", trainer.step()));
    screen.begin(trainer, folder.string());
    if (flags.json) print_events_of_start(trainer, folder);
    const auto status = run(trainer);
    keys.reset();
    if (status)
        ESPER_LOG_INFO("training ended", utils::kv("folder", folder.string()),
                       utils::kv("step", trainer.step()),
                       utils::kv("status", tolaria::to_text(*status)));
    else
        ESPER_LOG_ERROR("training failed", utils::kv("folder", folder.string()),
                        utils::kv("step", trainer.step()),
                        utils::kv("error", status.error().to_string()));
    const auto record = records::read_run_json(folder);
    screen.end(record ? *record : nlohmann::json::object(), folder.string());
    if (!status) return report_error(status.error());
    if (*status == tolaria::RunStatus::kStopped) {
        if (!flags.quiet)
            std::fprintf(
                stderr,
                "stopped after step %lld with a checkpoint%s; continue exactly there with\n"
                "    esper resume %s\n",
                static_cast<long long>(trainer.step()),
                trainer.is_out_of_time() ? ", because run.max_duration is over" : "",
                records::printable(records::shell_word(folder.string())).c_str());
        if (flags.quiet && !flags.json)
            std::printf("%s: stopped after step %lld\n", folder.c_str(),
                        static_cast<long long>(trainer.step()));
        return kInterrupted;
    }
    if (!record) return report_error(record.error());
    file_field_run(folder, trainer.config());
    const auto report = records::write_report(folder, folder / "report.html");
    if (!report) return report_error(report.error());
    if (flags.json) return 0;
    if (flags.quiet) {
        std::fputs(result_line(*record, folder).c_str(), stdout);
        return 0;
    }
    const auto summary = records::summary_of_run(folder);
    if (!summary) return report_error(summary.error());
    std::fputs(summary->c_str(), stdout);
    return 0;
}

}  // namespace esper::cli
