#include "esper/utils/log_format.h"

#include <fmt/format.h>

#include <cmath>
#include <iterator>

#include "esper/base/clock.h"
#include "esper/base/utf8.h"
#include "esper/contracts/json_codec.h"

namespace esper::utils {
namespace {

std::string well_formed(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const std::size_t n = utf8_sequence(text);
        if (n == 0) {
            out += "\xEF\xBF\xBD";
            text.remove_prefix(1);
        } else {
            out += text.substr(0, n);
            text.remove_prefix(n);
        }
    }
    return out;
}

std::string clean(std::string_view text, const Scrubber& scrubber) {
    return well_formed(scrubber.scrub(text));
}

/// Whether the field's value must not be shown at all.
bool is_masked(const LogField& f) {
    return f.kind == LogField::Kind::kText && is_secret_name(f.key);
}

void append_value(std::string& out, const LogField& f, LogFormat format, const Scrubber& scrubber) {
    auto to = std::back_inserter(out);
    switch (f.kind) {
        case LogField::Kind::kSigned:
            fmt::format_to(to, "{}", f.as_signed);
            break;
        case LogField::Kind::kUnsigned:
            fmt::format_to(to, "{}", f.as_unsigned);
            break;
        case LogField::Kind::kBool:
            out += f.as_bool ? "true" : "false";
            break;
        case LogField::Kind::kReal:
            // JSON has no word for infinity and NaN.
            if (format == LogFormat::kJson && !std::isfinite(f.as_real)) {
                fmt::format_to(to, "\"{}\"", f.as_real);
            } else {
                fmt::format_to(to, "{}", f.as_real);
            }
            break;
        case LogField::Kind::kText: {
            const std::string text = is_masked(f) ? std::string(kMask) : clean(f.text, scrubber);
            const bool plain =
                !text.empty() && text.find_first_of(" \t\r\n\"=\\") == std::string::npos;
            if (format == LogFormat::kText && plain) {
                out += text;
            } else {
                contracts::append_json_string(out, text);
            }
            break;
        }
    }
}

std::string site_of(const LogSite& site) {
    const auto slash = site.file.rfind('/');
    return fmt::format("{}:{}",
                       slash == std::string_view::npos ? site.file : site.file.substr(slash + 1),
                       site.line);
}

void append_json(std::string& out, const LogRecord& r, const Scrubber& scrubber) {
    fmt::format_to(std::back_inserter(out), R"({{"ts":"{}","level":"{}","message":)",
                   iso8601(r.utc_ns), log_level_name(r.site->level));
    contracts::append_json_string(out, clean(r.site->message, scrubber));
    fmt::format_to(std::back_inserter(out), R"(,"site":"{}","thread":{})", site_of(*r.site),
                   r.thread);
    if (r.trace.is_set()) {
        fmt::format_to(std::back_inserter(out), R"(,"trace":"{}")", r.trace.hex());
    }
    if (r.suppressed > 0) {
        fmt::format_to(std::back_inserter(out), R"(,"suppressed":{})", r.suppressed);
    }
    if (r.cut) out += R"(,"cut":true)";
    std::size_t at = 0;
    for (int i = 0; i < r.fields; ++i) {
        const LogField f = r.read(at);
        out += ',';
        contracts::append_json_string(out, f.key);
        out += ':';
        append_value(out, f, LogFormat::kJson, scrubber);
    }
    out += "}\n";
}

void append_text(std::string& out, const LogRecord& r, const Scrubber& scrubber) {
    fmt::format_to(std::back_inserter(out), "{} {:<7} {}", iso8601(r.utc_ns),
                   log_level_name(r.site->level), clean(r.site->message, scrubber));
    std::size_t at = 0;
    for (int i = 0; i < r.fields; ++i) {
        const LogField f = r.read(at);
        fmt::format_to(std::back_inserter(out), " {}=", f.key);
        append_value(out, f, LogFormat::kText, scrubber);
    }
    if (r.suppressed > 0) {
        fmt::format_to(std::back_inserter(out), " suppressed={}", r.suppressed);
    }
    if (r.cut) out += " (cut)";
    if (r.trace.is_set()) {
        fmt::format_to(std::back_inserter(out), " trace={}", r.trace.hex());
    }
    fmt::format_to(std::back_inserter(out), " [{}]\n", site_of(*r.site));
}

}  // namespace

void append_log_line(std::string& out, const LogRecord& record, LogFormat format,
                     const Scrubber& scrubber) {
    if (format == LogFormat::kJson) {
        append_json(out, record, scrubber);
    } else {
        append_text(out, record, scrubber);
    }
}

}  // namespace esper::utils
