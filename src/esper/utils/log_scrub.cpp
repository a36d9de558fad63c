#include "esper/utils/log_scrub.h"

#include <algorithm>
#include <cctype>

#include "esper/base/ascii.h"

namespace esper::utils {
namespace {

void replace_all(std::string& text, std::string_view what) {
    for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at)) {
        text.replace(at, what.size(), kMask);
        at += kMask.size();
    }
}

bool is_value_end(char c) {
    return std::string_view(" \t\r\n\"'&,;)}]").find(c) != std::string_view::npos;
}

/// Masks the word that follows each occurrence of a lower-case marker.
void mask_after(std::string& text, std::string_view marker) {
    std::string small = lowered(text);
    std::size_t at = 0;
    while ((at = small.find(marker, at)) != std::string::npos) {
        at += marker.size();
        std::size_t end = at;
        while (end < text.size() && !is_value_end(text[end])) ++end;
        if (end == at) continue;
        text.replace(at, end - at, kMask);
        small.replace(at, end - at, kMask);
        at += kMask.size();
    }
}

/// Masks words that start with `prefix` and go on with at least `least` bytes that `belongs` takes.
template <typename Belongs>
void mask_words(std::string& text, std::string_view prefix, std::size_t least, Belongs belongs) {
    std::size_t at = 0;
    while ((at = text.find(prefix, at)) != std::string::npos) {
        std::size_t end = at + prefix.size();
        while (end < text.size() && belongs(text[end])) ++end;
        if (end - at - prefix.size() >= least) {
            text.replace(at, end - at, kMask);
            at += kMask.size();
        } else {
            at = end;
        }
    }
}

/// `scheme://user:password@host` keeps the user and loses the password.
void mask_url_passwords(std::string& text) {
    std::size_t at = 0;
    while ((at = text.find("://", at)) != std::string::npos) {
        at += 3;
        const std::size_t end = std::min(text.find_first_of("/ \t\n\"'", at), text.size());
        const std::size_t host = text.substr(at, end - at).rfind('@');
        if (host == std::string::npos) continue;
        const std::size_t colon = text.find(':', at);
        if (colon < at + host) text.replace(colon + 1, at + host - colon - 1, kMask);
    }
}

bool is_upper_or_digit(char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }
bool is_token_char(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.';
}

}  // namespace

bool is_secret_name(std::string_view name) {
    const std::string n = lowered(std::string(name));
    for (const std::string_view part : {"secret", "password", "passwd", "credential",
                                        "authorization", "api_key", "access_key", "private_key"}) {
        if (n.find(part) != std::string::npos) return true;
    }
    return n.ends_with("token");
}

void Scrubber::add_secret(std::string secret) {
    if (secret.size() < 4) return;
    const std::lock_guard lock(mutex_);
    secrets_.push_back(std::move(secret));
    // A secret that contains another goes first, so that none is left half masked.
    std::sort(secrets_.begin(), secrets_.end(),
              [](const auto& a, const auto& b) { return a.size() > b.size(); });
}

std::string Scrubber::scrub(std::string_view text) const {
    std::string out(text);
    {
        const std::lock_guard lock(mutex_);
        for (const std::string& secret : secrets_) replace_all(out, secret);
    }
    mask_words(out, "AKIA", 16, is_upper_or_digit);
    mask_words(out, "eyJ", 20, is_token_char);
    mask_url_passwords(out);
    for (const std::string_view marker :
         {"bearer ", "basic ", "password=", "passwd=", "secret=", "token=", "api_key=",
          "access_key=", "signature=", "password: ", "secret: ", "token: "}) {
        mask_after(out, marker);
    }
    return out;
}

}  // namespace esper::utils
