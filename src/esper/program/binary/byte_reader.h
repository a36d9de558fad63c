#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "esper/program/types.h"

namespace esper::graph {

/// Reads numbers and texts from bytes. After the first failure every function returns zero or
/// empty, and error() says what was expected and at which offset of the file.
class ByteReader {
  public:
    /// `start`: the offset of `bytes` in the file.
    explicit ByteReader(std::string_view bytes, std::size_t start = 0)
        : bytes_(bytes), start_(start) {}

    bool ok() const { return !error_; }
    const std::optional<Error>& error() const { return error_; }
    std::size_t offset() const { return start_ + at_; }
    std::size_t remaining() const { return bytes_.size() - at_; }

    /// Little-endian.
    std::uint64_t fixed(int bytes, std::string_view what);
    std::uint8_t byte(std::string_view what);
    /// A byte below `count`.
    std::uint8_t byte_below(int count, std::string_view what);
    /// LEB128 in as few bytes as possible.
    std::uint64_t number(std::string_view what);
    std::uint32_t number32(std::string_view what);
    /// LEB128 of the zigzag form.
    std::int64_t integer(std::string_view what);
    double real(std::string_view what);
    std::string_view text(std::string_view what);
    std::string_view raw(std::size_t size, std::string_view what);
    /// A number of items. Fails if that many items of `item_size` bytes do not fit into the
    /// remaining bytes, so memory for them can be reserved safely.
    std::size_t count(std::size_t item_size, std::string_view what);

    void refuse(std::string_view message);

  private:
    std::string_view bytes_;
    std::size_t start_;
    std::size_t at_ = 0;
    std::optional<Error> error_;
};

}  // namespace esper::graph
