#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "esper/services/tolaria/data/dataset.h"
#include "esper/services/tolaria/data/recognise.h"

namespace esper::tolaria {

/// One key of a configuration, its value as YAML has it, and why it has it.
struct Choice {
    std::string key;
    std::string value;
    std::string why;  ///< empty: nothing to say
};

/// What to train on data of a kind and size: host, sizes, length, growth. The values are measured
/// ones of the shipped configurations where there is one for the task; docs/data.md lists the
/// rules.
std::vector<Choice> choose_recipe(const RecognisedData& recognised,
                                  const std::filesystem::path& path, const Dataset& data);

/// The choices as a configuration's YAML, with the reasons as comments.
std::string to_yaml(const std::vector<Choice>& choices);

}  // namespace esper::tolaria
