#include "esper/contracts/json_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "esper/contracts/json_scanner.h"

namespace esper::contracts {

Result<JsonText> JsonText::parse(std::string_view text) {
    if (text.size() > JsonScanner::kMaxBytes) {
        return fail(ContractError::kTooLarge, fmt::format("expected at most {} bytes, got {}",
                                                          JsonScanner::kMaxBytes, text.size()));
    }
    JsonScanner scanner(text);
    JsonText out;
    if (!scanner.free_value(out) || !scanner.finish()) return fail(*scanner.error());
    return out;
}

bool JsonScanner::free_value(JsonText& out) {
    out.text_.clear();
    return copy_value(out.text_);
}

bool JsonScanner::copy_value(std::string& out) {
    switch (peek()) {
        case '{':
            return copy_object(out);
        case '[':
            return copy_array(out);
        case '"': {
            const char* start = at_++;
            if (!string_body(nullptr)) return false;
            out.append(start, at_);
            return true;
        }
        default:
            break;
    }
    for (const std::string_view word : {"true", "false", "null"}) {
        if (take_word(word)) {
            out += word;
            return true;
        }
    }
    std::string_view digits;
    if (!number(digits)) {
        // A value of any kind is allowed here, so a wrong kind is a syntax error.
        if (error_->is(ContractError::kWrongType)) {
            error_.reset();
            return fail(ContractError::kSyntax, "expected a JSON value");
        }
        return false;
    }
    out += digits;
    return true;
}

bool JsonScanner::copy_object(std::string& out) {
    ++at_;
    if (!enter()) return false;
    out += '{';
    std::vector<std::string> keys;
    if (!take('}')) {
        for (;;) {
            const char c = peek();
            const char* start = at_;
            if (c != '"') return expect('"', "before a key");
            ++at_;
            if (!string_body(&keys.emplace_back())) return false;
            out.append(start, at_);
            if (!expect(':', "after a key")) return false;
            out += ':';
            if (!copy_value(out)) return false;
            if (take('}')) break;
            if (!expect(',', "or '}' between fields")) return false;
            out += ',';
        }
    }
    out += '}';
    leave();
    std::sort(keys.begin(), keys.end());
    if (const auto twice = std::adjacent_find(keys.begin(), keys.end()); twice != keys.end()) {
        return fail(ContractError::kDuplicateField,
                    fmt::format("expected every key once, got '{}' twice", *twice));
    }
    return true;
}

bool JsonScanner::copy_array(std::string& out) {
    ++at_;
    if (!enter()) return false;
    out += '[';
    if (!take(']')) {
        for (;;) {
            if (!copy_value(out)) return false;
            if (take(']')) break;
            if (!expect(',', "or ']' between elements")) return false;
            out += ',';
        }
    }
    out += ']';
    leave();
    return true;
}

}  // namespace esper::contracts
