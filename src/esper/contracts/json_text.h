#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "esper/contracts/contract_error.h"

namespace esper::contracts {

class JsonScanner;

/// A free JSON value (metadata, payloads), kept as compact text: checked, without white space,
/// numbers and strings as they were written, keys in the order given and never twice. Whoever
/// needs to look inside parses it with a library of their choice.
class JsonText {
  public:
    /// The empty object.
    JsonText() : text_("{}") {}
    /// Errors: kSyntax, kDuplicateField, kBadText, kTooDeep, kTooLarge, kTrailingBytes.
    static Result<JsonText> parse(std::string_view text);

    const std::string& text() const { return text_; }
    bool is_object() const { return text_.front() == '{'; }
    bool operator==(const JsonText&) const = default;

  private:
    friend class JsonScanner;
    std::string text_;
};

}  // namespace esper::contracts
