#include "esper/services/tolaria/data/class_match.h"

#include <fmt/format.h>

#include <algorithm>

#include "esper/base/text.h"
#include "esper/services/tolaria/data/data_bytes.h"

namespace esper::tolaria {

namespace {

constexpr std::size_t kNamed = 5;

std::string list_of(const std::vector<std::string>& names) {
    const auto count = std::min(names.size(), kNamed);
    std::vector<std::string> shown;
    for (std::size_t i = 0; i < count; ++i) shown.push_back(shown_name(names[i]));
    return join(shown, ", ") + (names.size() > count ? ", ..." : "");
}

std::vector<std::string> without(const std::vector<std::string>& names,
                                 const std::vector<std::string>& others) {
    std::vector<std::string> left;
    for (const auto& name : names)
        if (std::ranges::find(others, name) == others.end()) left.push_back(name);
    return left;
}

}  // namespace

bool ClassMatch::is_identity() const {
    for (std::size_t i = 0; i < output_of.size(); ++i)
        if (output_of[i] != i) return false;
    return true;
}

Result<ClassMatch> match_classes(const DatasetInfo& known, const DatasetInfo& data) {
    if (data.task != known.task)
        return fail(DataError::kBadOption,
                    fmt::format("the data are for {}, the network has learnt {}",
                                to_text(data.task), to_text(known.task)));
    ClassMatch match;
    match.names = known.class_names;
    if (known.task == Task::kRegression) return match;
    const auto fresh = without(data.class_names, known.class_names);
    const auto absent = without(known.class_names, data.class_names);
    if (known.task == Task::kMultiLabel && !(fresh.empty() && absent.empty()))
        return fail(DataError::kBadOption,
                    fmt::format("the data's labels have to be those of the network; {}: {}",
                                fresh.empty() ? "they lack" : "the network has none of these",
                                list_of(fresh.empty() ? absent : fresh)));
    if (fresh.size() > absent.size())
        return fail(
            DataError::kBadOption,
            fmt::format("the data have {} classes that the network does not know ({}), "
                        "and of its {} outputs {} are free; leave classes out",
                        fresh.size(), list_of(fresh), known.class_names.size(), absent.size()));
    const auto place = [&](const std::string& name) {
        return static_cast<std::uint32_t>(
            std::distance(match.names.begin(), std::ranges::find(match.names, name)));
    };
    std::vector<std::string> taken;
    for (std::size_t i = 0; i < fresh.size(); ++i) {
        match.names[place(absent[i])] = fresh[i];
        taken.push_back(fresh[i] + " takes that of " + absent[i]);
    }
    for (const auto& name : data.class_names) match.output_of.push_back(place(name));
    if (!fresh.empty())
        match.note = fmt::format(
            "{} of the {} classes are new to the network and take outputs of "
            "classes that these data do not have: {}",
            fresh.size(), data.class_names.size(), list_of(taken));
    return match;
}

}  // namespace esper::tolaria
