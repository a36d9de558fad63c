#pragma once
// utils: logging, HTTP and S3 clients.

#include <array>
#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "esper/utils/trace_id.h"

namespace esper::utils {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError, kOff };
/// `debug`, `info`, `warning`, `error`, `off`.
std::string_view log_level_name(LogLevel level);

/// A string literal: text that exists as long as the program.
class Literal {
  public:
    template <std::size_t N>
    consteval Literal(const char (&text)[N]) : data_(text), size_(N - 1) {}  // NOLINT: implicit
    constexpr std::string_view view() const { return {data_, size_}; }

  private:
    const char* data_;
    std::size_t size_;
};

/// One log statement in the code, with the counters for its rate limit.
struct LogSite {
    LogLevel level;
    std::string_view message;
    std::string_view file;
    int line;
    std::atomic<std::int64_t> window_start_ns{0};
    std::atomic<std::uint32_t> in_window{0};
    std::atomic<std::uint32_t> suppressed{0};
};

/// One named value. LogRecord::add copies the text.
struct LogField {
    enum class Kind : std::uint8_t { kSigned, kUnsigned, kReal, kBool, kText };
    std::string_view key;
    Kind kind = Kind::kText;
    union {
        std::int64_t as_signed;
        std::uint64_t as_unsigned;
        double as_real;
        bool as_bool;
    };
    std::string_view text;
};

template <typename T>
LogField kv(Literal key, const T& value) {
    LogField f{};
    f.key = key.view();
    if constexpr (std::same_as<T, bool>) {
        f.kind = LogField::Kind::kBool;
        f.as_bool = value;
    } else if constexpr (std::floating_point<T>) {
        f.kind = LogField::Kind::kReal;
        f.as_real = value;
    } else if constexpr (std::unsigned_integral<T>) {
        f.kind = LogField::Kind::kUnsigned;
        f.as_unsigned = value;
    } else if constexpr (std::signed_integral<T>) {
        f.kind = LogField::Kind::kSigned;
        f.as_signed = value;
    } else {
        f.text = std::string_view(value);
    }
    return f;
}

/// A record in the queue, of fixed size: a head, then the packed fields. Text that does not fit is
/// cut, and `cut` is set.
struct LogRecord {
    static constexpr std::size_t kCapacity = 440;

    const LogSite* site;
    std::int64_t utc_ns;
    TraceId trace;
    std::uint32_t thread;
    std::uint32_t suppressed;  ///< records of this site dropped by the rate limit before this one
    std::uint16_t used;
    std::uint8_t fields;
    bool cut;
    std::array<char, kCapacity> bytes;

    void add(const LogField& field);
    /// Reads the field at offset `at` and sets `at` to the offset of the next one.
    LogField read(std::size_t& at) const;
};

}  // namespace esper::utils
