#include "esper/contracts/json_scanner.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>

#include "esper/base/utf8.h"
#include "esper/contracts/json_text.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace esper::contracts {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Neither a quote, a backslash, a control character nor part of a multi-byte sequence.
bool is_plain(char c) {
    const auto u = static_cast<unsigned char>(c);
    return u >= 0x20 && u < 0x80 && c != '"' && c != '\\';
}

std::string describe(char c) {
    if (c == 0) return "the end of the text";
    const auto u = static_cast<unsigned char>(c);
    return u < 0x20 || u >= 0x7F ? fmt::format("byte 0x{:02x}", u) : fmt::format("'{}'", c);
}

}  // namespace

std::string JsonScanner::place(const char* where) const {
    std::size_t line = 1;
    const char* line_start = begin_;
    for (const char* p = begin_; p < where; ++p) {
        if (*p == '\n') {
            ++line;
            line_start = p + 1;
        }
    }
    return fmt::format(" (line {}, column {})", line, where - line_start + 1);
}

bool JsonScanner::fail(ContractError code, std::string message) {
    return fail_at(at_, code, std::move(message));
}

bool JsonScanner::fail_at(const char* where, ContractError code, std::string message) {
    if (!error_) error_ = esper::fail(code, std::move(message) + place(where)).value();
    return false;
}

char JsonScanner::peek() {
    while (at_ < end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\t' || *at_ == '\r')) ++at_;
    return at_ < end_ ? *at_ : '\0';
}

bool JsonScanner::take(char c) {
    if (peek() != c || at_ == end_) return false;
    ++at_;
    return true;
}

bool JsonScanner::expect(char c, std::string_view where) {
    if (take(c)) return true;
    if (at_ == end_) {
        return fail(ContractError::kTruncated,
                    fmt::format("expected '{}' {}, but the text ends", c, where));
    }
    return fail(ContractError::kSyntax,
                fmt::format("expected '{}' {}, got {}", c, where, describe(*at_)));
}

bool JsonScanner::take_word(std::string_view word) {
    peek();
    if (!std::string_view(at_, static_cast<std::size_t>(end_ - at_)).starts_with(word)) {
        return false;
    }
    at_ += word.size();
    return true;
}

bool JsonScanner::finish() {
    const char c = peek();
    if (at_ == end_) return true;
    return fail(ContractError::kTrailingBytes,
                fmt::format("expected the end of the text, got {}", describe(c)));
}

bool JsonScanner::enter() {
    if (++depth_ <= kMaxDepth) return true;
    return fail(ContractError::kTooDeep,
                fmt::format("expected at most {} levels of nesting", kMaxDepth));
}

const char* JsonScanner::plain_run_end() const {
    const char* p = at_;
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"');
    const __m128i backslash = _mm_set1_epi8('\\');
    const __m128i space = _mm_set1_epi8(0x20);
    while (end_ - p >= 16) {
        const __m128i x = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
        // Signed comparison: bytes above 0x7F also count as below 0x20, as intended.
        const __m128i stop =
            _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(x, quote), _mm_cmpeq_epi8(x, backslash)),
                         _mm_cmplt_epi8(x, space));
        const auto mask = static_cast<unsigned>(_mm_movemask_epi8(stop));
        if (mask != 0) return p + std::countr_zero(mask);
        p += 16;
    }
#endif
    while (p < end_ && is_plain(*p)) ++p;
    return p;
}

bool JsonScanner::string(std::string& out) {
    if (!take('"')) {
        const char c = peek();
        return fail(at_ == end_ ? ContractError::kTruncated : ContractError::kWrongType,
                    fmt::format("expected a string, got {}", describe(c)));
    }
    out.clear();
    return string_body(&out);
}

bool JsonScanner::string_body(std::string* out) {
    for (;;) {
        const char* run_end = plain_run_end();
        if (out != nullptr) out->append(at_, run_end);
        at_ = run_end;
        if (at_ == end_) {
            return fail(ContractError::kTruncated, "expected '\"' at the end of a string");
        }
        if (*at_ == '"') {
            ++at_;
            return true;
        }
        if (*at_ == '\\') {
            if (!escape(out)) return false;
        } else if (static_cast<unsigned char>(*at_) < 0x20) {
            return fail(ContractError::kSyntax,
                        fmt::format("expected an escape such as \\n for {} inside a string",
                                    describe(*at_)));
        } else if (!utf8(out)) {
            return false;
        }
    }
}

bool JsonScanner::utf8(std::string* out) {
    const std::size_t n = utf8_sequence({at_, static_cast<std::size_t>(end_ - at_)});
    if (n == 0) {
        return fail(ContractError::kBadText,
                    fmt::format("expected UTF-8 text, got {}", describe(*at_)));
    }
    if (out != nullptr) out->append(at_, n);
    at_ += n;
    return true;
}

bool JsonScanner::hex4(std::uint32_t& out) {
    out = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
        const char c = at_ < end_ ? *at_ : '\0';
        std::uint32_t digit = 0;
        if (is_digit(c)) {
            digit = static_cast<std::uint32_t>(c - '0');
        } else if (c >= 'a' && c <= 'f') {
            digit = static_cast<std::uint32_t>(c - 'a' + 10);
        } else if (c >= 'A' && c <= 'F') {
            digit = static_cast<std::uint32_t>(c - 'A' + 10);
        } else {
            return fail(ContractError::kSyntax,
                        fmt::format("expected four hex digits after \\u, got {}", describe(c)));
        }
        out = out * 16 + digit;
    }
    return true;
}

bool JsonScanner::escape(std::string* out) {
    const char* start = at_;
    ++at_;
    const char c = at_ < end_ ? *at_ : '\0';
    static constexpr std::string_view kEscapes = "\"\\/bfnrt";
    static constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
    if (const auto i = kEscapes.find(c); c != '\0' && i != std::string_view::npos) {
        if (out != nullptr) *out += kMeanings[i];
        ++at_;
        return true;
    }
    if (c != 'u') {
        return fail(
            at_ == end_ ? ContractError::kTruncated : ContractError::kSyntax,
            fmt::format("expected one of \"\\/bfnrtu after a backslash, got {}", describe(c)));
    }
    ++at_;
    std::uint32_t code = 0;
    if (!hex4(code)) return false;
    if (code >= 0xD800 && code < 0xDC00) {
        std::uint32_t low = 0;
        if (end_ - at_ < 2 || at_[0] != '\\' || at_[1] != 'u') {
            return fail_at(start, ContractError::kBadText,
                           "expected the second half of a surrogate pair");
        }
        at_ += 2;
        if (!hex4(low)) return false;
        if (low < 0xDC00 || low > 0xDFFF) {
            return fail_at(start, ContractError::kBadText,
                           "expected the second half of a surrogate pair");
        }
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    } else if (code >= 0xDC00 && code <= 0xDFFF) {
        return fail_at(start, ContractError::kBadText,
                       "expected the first half of a surrogate pair before the second");
    }
    if (out != nullptr) append_utf8(*out, code);
    return true;
}

bool JsonScanner::number(std::string_view& out) {
    const char first = peek();
    const char* start = at_;
    if (first != '-' && !is_digit(first)) {
        return fail(at_ == end_ ? ContractError::kTruncated : ContractError::kWrongType,
                    fmt::format("expected a number, got {}", describe(first)));
    }
    const auto digits = [this] {
        const char* from = at_;
        while (at_ < end_ && is_digit(*at_)) ++at_;
        return at_ - from;
    };
    if (first == '-') ++at_;
    const bool leading_zero = at_ < end_ && *at_ == '0';
    const auto whole = digits();
    if (whole == 0 || (leading_zero && whole > 1)) {
        return fail_at(start, ContractError::kSyntax,
                       "expected a number without a leading zero or a bare sign");
    }
    if (at_ < end_ && *at_ == '.') {
        ++at_;
        if (digits() == 0) return fail(ContractError::kSyntax, "expected digits after '.'");
    }
    if (at_ < end_ && (*at_ == 'e' || *at_ == 'E')) {
        ++at_;
        if (at_ < end_ && (*at_ == '+' || *at_ == '-')) ++at_;
        if (digits() == 0) return fail(ContractError::kSyntax, "expected digits in the exponent");
    }
    out = {start, static_cast<std::size_t>(at_ - start)};
    return true;
}

}  // namespace esper::contracts
