#include "esper/cli/live_panel.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "esper/base/process_usage.h"
#include "esper/base/text.h"

namespace esper::cli {

using execution::SeedState;

namespace {

constexpr std::size_t kMostEpochs = 24;

void put(std::deque<double>& values, double value) {
    values.push_back(value);
    if (values.size() > kMostEpochs) values.pop_front();
}

std::string_view sign_of(SeedState state) {
    switch (state) {
        case SeedState::kDormant:
            return "·";
        case SeedState::kGrafting:
            return "◐";
        case SeedState::kStabilization:
        case SeedState::kEvaluating:
        case SeedState::kFineTuning:
            return "◕";
        case SeedState::kFossilized:
            return "●";
        case SeedState::kCulled:
        case SeedState::kCancelled:
        case SeedState::kRolledBack:
        case SeedState::kErrorRecovery:
            return "×";
        default:
            return "○";
    }
}

bool continues(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; }

}  // namespace

std::string sparkline(const std::deque<double>& values) {
    constexpr std::array<std::string_view, 8> kBars = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    double low = INFINITY, high = -INFINITY;
    for (const double value : values) {
        if (!std::isfinite(value)) continue;
        low = std::min(low, value);
        high = std::max(high, value);
    }
    std::string out;
    for (const double value : values) {
        if (!std::isfinite(value)) {
            out += ' ';
            continue;
        }
        const double place = high > low ? (value - low) / (high - low) : 0.5;
        out += kBars[static_cast<std::size_t>(std::lround(place * (kBars.size() - 1)))];
    }
    return out;
}

std::string seed_map(tolaria::Trainer& trainer, std::size_t most) {
    std::string out;
    if (trainer.growth() == nullptr) return out;
    const auto& kasmina = trainer.growth()->kasmina();
    for (const auto& slot : kasmina.slots()) {
        if (most-- == 0) return out + "…";
        out += sign_of(kasmina.state(slot.index));
    }
    return out;
}

std::string_view clipped(std::string_view text, int columns) {
    std::size_t end = 0;
    for (; end < text.size(); ++end)
        if (!continues(text[end]) && columns-- <= 0) break;
    return text.substr(0, end);
}

void LivePanel::add_epoch(double train_loss, double validation_loss, double examples_per_second) {
    put(train_, train_loss);
    put(validation_, validation_loss);
    put(rate_, examples_per_second);
}

std::vector<std::string> LivePanel::lines(tolaria::Trainer& trainer, int columns,
                                          bool takes_keys) const {
    std::vector<std::string> lines;
    std::string curves;
    if (!train_.empty())
        curves = fmt::format("train {} {:.4f}  val {} {:.4f}  rate {}  ", sparkline(train_),
                             train_.back(), sparkline(validation_), validation_.back(),
                             sparkline(rate_));
    if (const auto usage = process_usage())
        curves += fmt::format("memory {} MB", usage->resident_bytes / 1'000'000);
    lines.push_back(std::move(curves));
    if (auto* growth = trainer.growth()) {
        const auto counts = growth->counts();
        const auto words = fmt::format("  {} germinated, {} kept, {} culled{}", counts.germinated,
                                       counts.fossilized, counts.culled,
                                       growth->is_paused() ? ", growth is paused" : "");
        const auto room = columns - 8 - static_cast<int>(words.size());
        lines.push_back("seeds " + seed_map(trainer, static_cast<std::size_t>(std::max(1, room))) +
                        words);
    }
    if (takes_keys) {
        const auto* growth = trainer.growth();
        lines.push_back(fmt::format("{}c checkpoint   q stop with a checkpoint",
                                    growth == nullptr     ? ""
                                    : growth->is_paused() ? "p resume growth   "
                                                          : "p pause growth   "));
    }
    return lines;
}

}  // namespace esper::cli
