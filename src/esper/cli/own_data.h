#pragma once

#include <memory>
#include <string>
#include <vector>

#include "esper/configs/load.h"
#include "esper/services/tolaria/data/dataset.h"
#include "esper/services/tolaria/host/choose_recipe.h"

namespace esper::cli {

/// A user's data, opened, and what to train on them.
struct OwnData {
    tolaria::RecognisedData recognised;
    std::shared_ptr<const tolaria::Dataset> dataset;
    std::vector<tolaria::Choice> choices;
};

/// Whether the word of `esper train WORD` names data: something that is there and no configuration.
bool is_own_data(const std::string& path);

/// Recognises and opens the data and chooses what to train. Of overrides and environment only the
/// keys that say how the data are read are looked at here. Errors: those of recognising, opening
/// and of these keys.
Result<OwnData> look_at_own_data(const std::string& path, const std::vector<std::string>& overrides,
                                 const configs::Environment& env);

/// What was recognised and chosen, for people.
std::string in_words(const OwnData& data);

}  // namespace esper::cli
