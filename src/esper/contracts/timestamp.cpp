#include "esper/contracts/timestamp.h"

#include <array>
#include <chrono>

#include "esper/base/clock.h"

namespace esper::contracts {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kDay = 86'400 * kSecond;

void append_digits(std::string& out, std::int64_t value, int digits) {
    std::array<char, 10> buffer{};
    for (int i = digits - 1; i >= 0; --i) {
        buffer[static_cast<std::size_t>(i)] = static_cast<char>('0' + value % 10);
        value /= 10;
    }
    out.append(buffer.data(), static_cast<std::size_t>(digits));
}

/// Removes exactly `digits` decimal digits from the front of `text` and returns their value.
std::optional<int> take_digits(std::string_view& text, std::size_t digits) {
    if (text.size() < digits) return std::nullopt;
    int value = 0;
    for (std::size_t i = 0; i < digits; ++i) {
        if (text[i] < '0' || text[i] > '9') return std::nullopt;
        value = value * 10 + (text[i] - '0');
    }
    text.remove_prefix(digits);
    return value;
}

bool take(std::string_view& text, char c) {
    if (!text.starts_with(c)) return false;
    text.remove_prefix(1);
    return true;
}

constexpr std::int64_t start_of(int year) {
    using namespace std::chrono;
    return sys_days{std::chrono::year{year} / January / 1}.time_since_epoch().count() * kDay;
}

}  // namespace

bool Timestamp::in_range() const { return utc_ns >= start_of(1678) && utc_ns < start_of(2262); }

void append_timestamp(std::string& out, Timestamp time) {
    std::int64_t days = time.utc_ns / kDay;
    std::int64_t rest = time.utc_ns % kDay;
    if (rest < 0) {
        rest += kDay;
        --days;
    }
    const std::chrono::year_month_day date{
        std::chrono::sys_days{std::chrono::days{static_cast<int>(days)}}};
    append_digits(out, static_cast<int>(date.year()), 4);
    out += '-';
    append_digits(out, static_cast<unsigned>(date.month()), 2);
    out += '-';
    append_digits(out, static_cast<unsigned>(date.day()), 2);
    out += 'T';
    const std::int64_t seconds = rest / kSecond;
    append_digits(out, seconds / 3600, 2);
    out += ':';
    append_digits(out, seconds / 60 % 60, 2);
    out += ':';
    append_digits(out, seconds % 60, 2);
    if (const std::int64_t ns = rest % kSecond; ns != 0) {
        out += '.';
        if (ns % 1'000'000 == 0) {
            append_digits(out, ns / 1'000'000, 3);
        } else if (ns % 1000 == 0) {
            append_digits(out, ns / 1000, 6);
        } else {
            append_digits(out, ns, 9);
        }
    }
    out += 'Z';
}

std::string to_string(Timestamp time) {
    std::string out;
    append_timestamp(out, time);
    return out;
}

std::optional<Timestamp> parse_timestamp(std::string_view text) {
    const auto year = take_digits(text, 4);
    if (!year || *year < 1678 || *year > 2261 || !take(text, '-')) return std::nullopt;
    const auto month = take_digits(text, 2);
    if (!month || !take(text, '-')) return std::nullopt;
    const auto day = take_digits(text, 2);
    if (!day || !take(text, 'T')) return std::nullopt;
    const auto hour = take_digits(text, 2);
    if (!hour || *hour > 23 || !take(text, ':')) return std::nullopt;
    const auto minute = take_digits(text, 2);
    if (!minute || *minute > 59 || !take(text, ':')) return std::nullopt;
    const auto second = take_digits(text, 2);
    if (!second || *second > 59) return std::nullopt;
    std::int64_t ns = 0;
    if (take(text, '.')) {
        std::int64_t unit = kSecond / 10;
        std::size_t digits = 0;
        for (; digits < text.size() && text[digits] >= '0' && text[digits] <= '9'; ++digits) {
            ns += (text[digits] - '0') * unit;
            unit /= 10;
        }
        if (digits == 0 || digits > 9) return std::nullopt;
        text.remove_prefix(digits);
    }
    if (text != "Z") return std::nullopt;
    const std::chrono::year_month_day date{std::chrono::year{*year},
                                           std::chrono::month{static_cast<unsigned>(*month)},
                                           std::chrono::day{static_cast<unsigned>(*day)}};
    if (!date.ok()) return std::nullopt;
    const std::int64_t days = std::chrono::sys_days{date}.time_since_epoch().count();
    const std::int64_t seconds = *hour * 3600 + *minute * 60 + *second;
    return Timestamp{days * kDay + seconds * kSecond + ns};
}

Timestamp now(const Clock& clock) { return {clock.utc_ns()}; }

}  // namespace esper::contracts
