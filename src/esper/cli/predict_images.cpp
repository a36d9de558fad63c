#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>

#include "esper/base/files.h"
#include "esper/base/text.h"
#include "esper/cli/predict.h"
#include "esper/services/records/printable_text.h"
#include "esper/services/tolaria/data/file_format.h"
#include "esper/services/tolaria/data/image_files.h"
#include "esper/services/tolaria/data/image_inputs.h"

namespace esper::cli {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using records::printable;
using tolaria::DataError;

constexpr std::size_t kAtOnce = 64;
constexpr std::uint64_t kLargestFile = std::uint64_t{1} << 28;

/// The files that are named, and how many more could not be read.
struct Files {
    std::vector<fs::path> paths;
    std::size_t faults = 0;

    void name_fault(const std::string& what) {
        std::fprintf(stderr, "esper: %s\n", what.c_str());
        ++faults;
    }
};

Files files_of(const std::vector<fs::path>& paths) {
    Files files;
    for (const auto& path : paths) {
        std::error_code none;
        if (!fs::is_directory(path, none)) {
            files.paths.push_back(path);
            continue;
        }
        std::map<std::string, int> others;
        const auto found = tolaria::image_files_in(path, others);
        for (const auto& [extension, count] : others)
            std::fprintf(stderr, "%s: %d files '%s' are passed over\n",
                         printable(path.string()).c_str(), count, printable(extension).c_str());
        if (found.empty())
            files.name_fault(printable(path.string()) + " holds no JPEG or PNG file");
        files.paths.insert(files.paths.end(), found.begin(), found.end());
    }
    return files;
}

Result<std::vector<float>> input_of(const fs::path& path, const tolaria::DatasetInfo& data) {
    ESPER_TRY(const auto bytes, read_file(path, kLargestFile));
    auto input = tolaria::image_input(bytes, data);
    if (input) return input;
    const auto what = tolaria::recognise_data(path);
    return fail(input.error().within(
        printable(path.string()) +
        (what.empty() || what.find("PNG") != std::string::npos ||
                 what.find("JPEG") != std::string::npos
             ? ""
             : fmt::format(" is {}; this network was trained on images", what))));
}

json classes_json(const Predicting& asked, const tolaria::Prediction& prediction) {
    json classes = json::array();
    for (const auto& one : prediction.best)
        classes.push_back(
            {{"class", asked.class_name(one.number)}, {"probability", one.probability}});
    return classes;
}

std::string in_words(const Predicting& asked, const tolaria::Prediction::Class& one) {
    return fmt::format("{} {:.1f} %", printable(asked.class_name(one.number)),
                       100 * one.probability);
}

/// The labels that hold rather than not, the surest first; in brackets the surest of the others.
void print_labels(const Predicting& asked, const fs::path& path,
                  const tolaria::Prediction& prediction) {
    std::vector<tolaria::Prediction::Class> labels;
    for (std::size_t l = 0; l < prediction.labels.size(); ++l)
        labels.push_back({static_cast<std::int64_t>(l), prediction.labels[l]});
    if (asked.json) {
        json all = json::object();
        for (const auto& one : labels)
            all[printable(asked.class_name(one.number))] = one.probability;
        print_json_line({{"event", "prediction"}, {"file", path.string()}, {"labels", all}});
        return;
    }
    std::ranges::stable_sort(labels, std::greater(), &tolaria::Prediction::Class::probability);
    std::vector<std::string> holding;
    std::vector<std::string> others;
    for (const auto& one : labels) {
        if (one.probability > 0.5)
            holding.push_back(in_words(asked, one));
        else if (holding.size() + others.size() < asked.top)
            others.push_back(in_words(asked, one));
    }
    std::printf("%s: %s%s%s%s\n", printable(path.string()).c_str(),
                holding.empty() ? "no label" : join(holding, " + ").c_str(),
                others.empty() ? "" : "  (", join(others, ", ").c_str(), others.empty() ? "" : ")");
}

void print(const Predicting& asked, const fs::path& path, const tolaria::Prediction& prediction) {
    if (asked.data->info().task == tolaria::Task::kMultiLabel)
        return print_labels(asked, path, prediction);
    if (asked.json) {
        print_json_line({{"event", "prediction"},
                         {"file", path.string()},
                         {"class", asked.class_name(prediction.best.front().number)},
                         {"probability", prediction.best.front().probability},
                         {"top", classes_json(asked, prediction)}});
        return;
    }
    std::vector<std::string> others;
    for (std::size_t i = 1; i < prediction.best.size(); ++i)
        others.push_back(in_words(asked, prediction.best[i]));
    std::printf("%s: %s%s%s%s\n", printable(path.string()).c_str(),
                in_words(asked, prediction.best.front()).c_str(), others.empty() ? "" : "  (",
                join(others, ", ").c_str(), others.empty() ? "" : ")");
}

}  // namespace

Status predict_images(const Predicting& asked) {
    auto files = files_of(asked.paths);
    for (std::size_t from = 0; from < files.paths.size(); from += kAtOnce) {
        std::vector<float> inputs;
        std::vector<fs::path> read;
        for (auto i = from; i < std::min(from + kAtOnce, files.paths.size()); ++i) {
            const auto input = input_of(files.paths[i], asked.data->info());
            if (!input) {
                files.name_fault(input.error().message());
                continue;
            }
            inputs.insert(inputs.end(), input->begin(), input->end());
            read.push_back(files.paths[i]);
        }
        ESPER_TRY(const auto predictions, asked.of(inputs, read.size()));
        for (std::size_t i = 0; i < read.size(); ++i) print(asked, read[i], predictions[i]);
    }
    if (files.faults == 0) return {};
    return fail(DataError::kCorrupt,
                fmt::format("nothing is predicted of {} of the files, named above", files.faults));
}

}  // namespace esper::cli
