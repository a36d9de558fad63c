// The readers of a user's data files: any bytes must give data or an error with a message, never a
// crash and never more memory than the bytes justify. The first byte chooses the reader.

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "esper/services/tolaria/data/csv.h"
#include "esper/services/tolaria/data/data_bytes.h"
#include "esper/services/tolaria/data/idx_file.h"
#include "esper/services/tolaria/data/image_file.h"
#include "esper/services/tolaria/data/numpy_array.h"
#include "esper/services/tolaria/data/table_columns.h"

using namespace esper::tolaria;

namespace {

template <typename T>
void check(const esper::Result<T>& result) {
    if (!result && result.error().message().empty()) std::abort();
}

void read_table(const std::string& text, bool skip) {
    const auto table = parse_csv(text, skip);
    check(table);
    if (!table) return;
    for (std::size_t c = 0; c < table->columns.size(); ++c) {
        if (table->columns[c].size() != table->rows()) std::abort();
        const auto column = read_column(table->names[c], table->columns[c]);
        if (column.rows() != table->rows()) std::abort();
    }
}

void read_array(const std::string& bytes) {
    const auto array = NumpyArray::parse(std::make_shared<std::string>(bytes));
    check(array);
    if (!array) return;
    for (std::uint64_t i = 0; i < array->elements(); i += 1 + array->elements() / 16)
        static_cast<void>(array->at(i));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    switch (data[0] % 6) {
        case 0:
            read_table(bytes, false);
            break;
        case 1:
            read_table(bytes, true);
            break;
        case 2:
            check(parse_idx(bytes));
            break;
        case 3:
            read_array(bytes);
            break;
        case 4:
            check(read_square_image(bytes, 16, 3));
            break;
        default:
            check(gunzip(bytes, 1 << 20));
    }
    return 0;
}
