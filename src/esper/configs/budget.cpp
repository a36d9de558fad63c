#include "esper/configs/budget.h"

#include <fmt/format.h>

#include <cmath>

#include "esper/base/text.h"
#include "esper/configs/duration.h"
#include "esper/configs/numbers.h"

namespace esper::configs {

std::optional<Budget> Budget::parse(std::string_view text) {
    if (text.empty()) return Budget{};
    Budget budget;
    if (read_number(text, budget.amount)) {
        budget.of = Of::kFlops;
    } else {
        const auto duration = Duration::parse(text);
        if (!duration || !duration->is_clock()) return std::nullopt;
        budget = {duration->in_seconds().value_or(0), Of::kSeconds};
    }
    if (!std::isfinite(budget.amount) || budget.amount <= 0) return std::nullopt;
    return budget;
}

std::string Budget::to_string() const {
    switch (of) {
        case Of::kFlops: {
            // 1.5e12, not 1.5e+12.
            auto text = fmt::format("{}", amount);
            if (const auto plus = text.find("e+"); plus != std::string::npos)
                text.erase(plus + 1, 1);
            if (text.find('e') != std::string::npos || amount < 1e6) return text;
            const int power = static_cast<int>(std::floor(std::log10(amount)));
            auto shorter = fmt::format("{}e{}", amount / std::pow(10.0, power), power);
            double same = 0;
            return read_number(shorter, same) && same == amount ? shorter : text;
        }
        case Of::kSeconds:
            return Duration::seconds(amount).to_string();
        case Of::kNothing:
            break;
    }
    return "";
}

std::string Budget::in_words() const { return in_words(amount); }

std::string Budget::in_words(double value) const {
    switch (of) {
        case Of::kFlops:
            return human_count(value) + " FLOPs";
        case Of::kSeconds:
            return human_seconds(value);
        case Of::kNothing:
            break;
    }
    return "no budget";
}

}  // namespace esper::configs
