#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "esper/cli/run_state.h"
#include "esper/services/tolaria/data/dataset.h"
#include "esper/services/tolaria/learn/prediction.h"

namespace esper::cli {

/// A trained network and what is asked of it.
struct Predicting {
    RunState run;
    std::shared_ptr<const tolaria::Dataset> data;
    std::vector<std::filesystem::path> paths;
    std::size_t top = 5;
    std::optional<tolaria::TestTimeViews> views;
    std::vector<std::string> classes;  ///< of the outputs, where an adapter gives them others
    std::filesystem::path out;         ///< empty: standard output
    bool json = false;

    Result<std::vector<tolaria::Prediction>> of(std::span<const float> inputs,
                                                std::size_t count) const {
        return tolaria::predict(run.learner->engine(), run.program(), run.store(), data->info(),
                                inputs, count, top, views);
    }
    std::string class_name(std::int64_t number) const;
};

/// Prints class and probability of every JPEG and PNG file, also of those in folders. Files that
/// cannot be read are named on standard error. Error: kCorrupt where there are such.
Status predict_images(const Predicting& asked);
/// Writes every row of the CSV files with what is predicted of it. Errors: those of reading, with
/// the file's name.
Status predict_tables(const Predicting& asked);

}  // namespace esper::cli
