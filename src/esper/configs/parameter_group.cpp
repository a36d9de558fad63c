#include "esper/configs/parameter_group.h"

#include <algorithm>
#include <cmath>

#include "esper/base/text.h"
#include "esper/configs/numbers.h"
#include "esper/configs/values.h"

namespace esper::configs {

std::optional<ParameterGroup> ParameterGroup::parse(std::string_view text) {
    auto words = split(text, ' ');
    std::erase(words, "");
    if (words.size() < 2 || !has_form(words.front(), TextForm::kGlob)) return std::nullopt;
    ParameterGroup group;
    group.pattern = words.front();
    bool has_rate = false;
    for (std::size_t i = 1; i < words.size(); ++i) {
        const auto equals = words[i].find('=');
        double value = 0;
        if (equals == std::string::npos ||
            !read_number(std::string_view(words[i]).substr(equals + 1), value) ||
            !std::isfinite(value) || value < 0)
            return std::nullopt;
        const auto key = words[i].substr(0, equals);
        if (key == "rate" && !has_rate) {
            group.rate = value;
            has_rate = true;
        } else if (key == "weight_decay" && !group.weight_decay) {
            group.weight_decay = value;
        } else {
            return std::nullopt;
        }
    }
    return group;
}

}  // namespace esper::configs
