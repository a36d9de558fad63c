#include <fmt/format.h>
#include <minizip/unzip.h>

#include <algorithm>
#include <array>
#include <memory>

#include "esper/services/tolaria/data/data_bytes.h"
#include "esper/services/tolaria/data/numpy_array.h"

namespace esper::tolaria {
namespace {

constexpr std::uint64_t kMostArrays = 1000;
constexpr std::size_t kPiece = std::size_t{1} << 20;

struct Closer {
    void operator()(void* zip) const { unzClose(zip); }
};
using Archive = std::unique_ptr<void, Closer>;

tl::unexpected<Error> corrupt(const std::string& why) {
    return fail(DataError::kCorrupt, "not a whole .npz archive: " + why);
}

// Grows with what comes out: what the archive says of sizes is not believed.
Result<std::shared_ptr<const std::string>> unpack(unzFile zip, const std::string& name,
                                                  std::uint64_t& total) {
    if (unzOpenCurrentFile(zip) != UNZ_OK)
        return corrupt(fmt::format("'{}' cannot be opened", name));
    auto bytes = std::make_shared<std::string>();
    while (true) {
        const auto before = bytes->size();
        bytes->resize(before + kPiece);
        const int count =
            unzReadCurrentFile(zip, bytes->data() + before, static_cast<unsigned>(kPiece));
        bytes->resize(before + static_cast<std::size_t>(std::max(count, 0)));
        if (count < 0) {
            unzCloseCurrentFile(zip);
            return corrupt(fmt::format("'{}' is damaged", name));
        }
        if (count == 0) break;
        total += static_cast<std::uint64_t>(count);
        if (auto fits = check_memory(total, "the unpacked arrays", "save fewer of them"); !fits) {
            unzCloseCurrentFile(zip);
            return fail(fits.error());
        }
    }
    // Also checks the CRC.
    if (unzCloseCurrentFile(zip) != UNZ_OK)
        return corrupt(fmt::format("the bytes of '{}' do not have their checksum", name));
    return bytes;
}

}  // namespace

Result<std::map<std::string, NumpyArray>> read_npz(const std::string& path) {
    const Archive zip(unzOpen64(path.c_str()));
    if (!zip) return corrupt("it has no directory; it may have been cut short");
    std::map<std::string, NumpyArray> arrays;
    std::uint64_t total = 0;
    std::uint64_t seen = 0;
    for (int at = unzGoToFirstFile(zip.get()); at == UNZ_OK; at = unzGoToNextFile(zip.get())) {
        if (++seen > kMostArrays) return corrupt(fmt::format("more than {} arrays", kMostArrays));
        std::array<char, 1024> text{};
        unz_file_info64 info{};
        if (unzGetCurrentFileInfo64(zip.get(), &info, text.data(), text.size() - 1, nullptr, 0,
                                    nullptr, 0) != UNZ_OK)
            return corrupt("its directory is damaged");
        std::string name(text.data());
        if (!name.ends_with(".npy")) continue;
        name.resize(name.size() - 4);
        const auto shown = shown_name(name);
        ESPER_TRY(auto bytes, unpack(zip.get(), shown, total));
        auto array = NumpyArray::parse(std::move(bytes));
        if (!array) return fail(array.error().within("array '" + shown + "'"));
        arrays.emplace(std::move(name), std::move(*array));
    }
    return arrays;
}

}  // namespace esper::tolaria
