#pragma once

#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "esper/contracts/enums.h"
#include "esper/services/urza/urza_error.h"

namespace esper::urza {

/// Who asks, as the server knows them.
struct Caller {
    std::string name;
    contracts::AccessRole role = contracts::AccessRole::kResearcher;
};

/// Whether a caller may be called so in a list and in the ledger: 1 to 100 bytes of UTF-8 without
/// control characters, not spaces alone.
bool is_caller_name(std::string_view name);

/// The tokens of the library's server: a file (mode 0600) with the SHA-256 of each, its owner's
/// name and role. A token itself is shown once, when it is made. Thread-safe; a change of the file
/// by another process is seen at the next look.
class Tokens {
  public:
    struct Entry {
        Caller caller;
        std::string sha256;
    };
    explicit Tokens(std::filesystem::path file) : file_(std::move(file)) {}

    /// Makes a token and returns it. Errors: kConflict for a name that has one, kBadRequest for
    /// one that is empty, longer than 100 bytes, or not printable.
    Result<std::string> add(const Caller& caller);
    /// Error: kUnknownToken.
    Status remove(std::string_view name);
    /// Errors: kBadTokens for a file that is damaged or that others could have written.
    Result<std::vector<Entry>> all();
    /// Entries of the file, when it was last read, that lack something and so let nobody in.
    std::size_t useless() const { return useless_; }
    /// Whose token it is. Takes as long for a wrong one as for a right one.
    Result<std::optional<Caller>> find(std::string_view token);

  private:
    Result<std::vector<Entry>> read_locked();
    Status write_locked(const std::vector<Entry>& entries);
    const std::filesystem::path file_;
    std::mutex mutex_;
    std::filesystem::file_time_type seen_{};
    std::vector<Entry> entries_;
    std::size_t useless_ = 0;
};

}  // namespace esper::urza
