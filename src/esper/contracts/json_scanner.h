#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "esper/contracts/contract_error.h"

namespace esper::contracts {

class JsonText;

/// Reads JSON (RFC 8259, strictly) from front to back. After the first failure every function
/// returns false, and `error()` says what failed, with line and column.
class JsonScanner {
  public:
    static constexpr int kMaxDepth = 64;
    static constexpr std::size_t kMaxBytes = std::size_t{64} << 20;

    explicit JsonScanner(std::string_view text)
        : begin_(text.data()), at_(text.data()), end_(text.data() + text.size()) {}

    /// The next character that is not white space, or 0 at the end.
    char peek();
    /// Skips white space and takes `c` if it comes next.
    bool take(char c);
    bool expect(char c, std::string_view where);
    bool take_word(std::string_view word);

    /// Reads a string; `out` receives UTF-8 with the escapes decoded.
    bool string(std::string& out);
    /// Reads a number and gives its text as written.
    bool number(std::string_view& out);
    /// Checks the next value and stores it without white space.
    bool free_value(JsonText& out);
    /// Checks that only white space is left.
    bool finish();

    /// Call at the start and end of each object and array; bounds the depth.
    bool enter();
    void leave() { --depth_; }

    bool fail(ContractError code, std::string message);
    bool fail_at(const char* where, ContractError code, std::string message);
    const char* position() const { return at_; }
    const std::optional<Error>& error() const { return error_; }

  private:
    bool string_body(std::string* out);
    bool escape(std::string* out);
    bool hex4(std::uint32_t& out);
    bool utf8(std::string* out);
    bool copy_value(std::string& out);
    bool copy_object(std::string& out);
    bool copy_array(std::string& out);
    const char* plain_run_end() const;
    std::string place(const char* where) const;

    const char* begin_;
    const char* at_;
    const char* end_;
    int depth_ = 0;
    std::optional<Error> error_;
};

}  // namespace esper::contracts
