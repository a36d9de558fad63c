#pragma once

#include <string>

#include "esper/base/error.h"

namespace esper::cli {

struct TokensArguments {
    std::string path;
    std::string tokenizer = "bytes";
    std::string out;
};

/// `esper data tokens`: divides texts into tokens once and for all, into a file that is trained on.
/// Errors: those of reading and of the tokenizer; kBadOption, kTooLarge for a file that cannot hold
/// them.
Status write_tokens(const TokensArguments& arguments);

}  // namespace esper::cli
