#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "esper/services/tolaria/data/data_errors.h"

namespace esper::tolaria {

/// An array of numbers as NumPy stores it (.npy, format 1.0 to 3.0), in C order, little-endian.
class NumpyArray {
  public:
    /// Errors: kCorrupt; kTruncated where the shape says more than the file holds;
    /// kUnsupportedFormat for objects (pickles), texts, big-endian and Fortran order.
    static Result<NumpyArray> parse(std::shared_ptr<const std::string> file);

    const std::vector<std::uint64_t>& shape() const { return shape_; }
    std::uint64_t elements() const { return elements_; }
    bool is_whole() const { return kind_ != 'f'; }  ///< integers or booleans
    bool is_bytes() const { return kind_ == 'u' && size_ == 1; }
    double at(std::uint64_t index) const;
    /// Of an array of bytes.
    std::string_view bytes() const { return values(); }
    /// `float32 [60000, 784]`
    std::string in_words() const;

  private:
    std::string_view values() const { return std::string_view(*file_).substr(begin_); }
    std::shared_ptr<const std::string> file_;
    std::size_t begin_ = 0;
    char kind_ = 'f';  ///< f, i, u or b
    unsigned size_ = 4;
    std::vector<std::uint64_t> shape_;
    std::uint64_t elements_ = 0;
};

/// The arrays of an .npz file (a ZIP archive, compressed or not) by name. Errors: kCorrupt,
/// kTooLarge, those of NumpyArray::parse with the array's name.
Result<std::map<std::string, NumpyArray>> read_npz(const std::string& path);

}  // namespace esper::tolaria
