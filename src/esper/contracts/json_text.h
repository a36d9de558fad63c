#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "esper/contracts/contract_error.h"

namespace esper::contracts {

class JsonScanner;

/// Any JSON value (metadata, payloads) as compact text without white space. The text is valid JSON
/// without repeated keys; numbers, strings and the order of keys are as they were written. To read
/// the content, parse the text with a JSON library.
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
