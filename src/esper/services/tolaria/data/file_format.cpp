#include "esper/services/tolaria/data/file_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <map>

#include "esper/base/ascii.h"

namespace esper::tolaria {
namespace {

namespace fs = std::filesystem;
using std::string_view_literals::operator""sv;

struct Magic {
    std::size_t at;
    std::string_view bytes;
    std::string_view format;
};

constexpr auto kMagics = std::to_array<Magic>({
    {0, "\x1f\x8b"sv, "gzip"},
    {0, "PK\x03\x04"sv, "zip (.npz, .zip, .pt)"},
    {0, "\x93NUMPY"sv, "NumPy (.npy)"},
    {0, "\x89PNG\r\n"sv, "PNG"},
    {0, "\xff\xd8\xff"sv, "JPEG"},
    {0, "GIF8"sv, "GIF"},
    {0, "PAR1"sv, "Parquet"},
    {0, "ARROW1"sv, "Arrow"},
    {0, "\x89HDF\r\n"sv, "HDF5"},
    {0, "SQLite format 3"sv, "SQLite"},
    {0, "%PDF-"sv, "PDF"},
    {0, "BZh"sv, "bzip2"},
    {0,
     "\xfd"
     "7zXZ"sv,
     "xz"},
    {0, "7z\xbc\xaf\x27\x1c"sv, "7-Zip"},
    {0, "Rar!\x1a\x07"sv, "RAR"},
    {0, "\x28\xb5\x2f\xfd"sv, "Zstandard"},
    {257, "ustar"sv, "tar"},
    {0, "\xff\xfe"sv, "UTF-16 text"},
    {0, "\xfe\xff"sv, "UTF-16 text"},
});

/// IDX, the layout of MNIST: two zeros, a type, the number of dimensions and the size of each.
bool is_idx(std::string_view bytes) {
    if (bytes.size() < 8 || bytes[0] != 0 || bytes[1] != 0) return false;
    const auto type = static_cast<unsigned char>(bytes[2]);
    const auto dimensions = static_cast<unsigned char>(bytes[3]);
    const bool typed = type == 8 || type == 9 || (type >= 0x0B && type <= 0x0E);
    return typed && dimensions >= 1 && dimensions <= 4;
}

/// Bytes that no UTF-8 text for people holds, near the beginning; a text may begin with a magic
/// word.
bool looks_binary(std::string_view bytes) {
    return std::ranges::any_of(bytes.substr(0, 512), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte < 9 || (byte >= 14 && byte < 32 && byte != 27) || byte >= 0xF8;
    });
}

std::string lower_extension(const fs::path& path) { return lowered(path.extension().string()); }

/// Which kind of image a folder, or the folders in it, hold most of. Looks at so many names only.
std::string images_in(const fs::path& folder) {
    constexpr int kMostNames = 2000;
    constexpr auto kImages =
        std::to_array<std::string_view>({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif"});
    std::map<std::string, int> counts;
    int names = 0;
    std::error_code error;
    fs::recursive_directory_iterator it(folder, fs::directory_options::skip_permission_denied,
                                        error);
    for (; !error && it != fs::recursive_directory_iterator() && names < kMostNames;
         it.increment(error)) {
        ++names;
        if (it.depth() >= 2) it.disable_recursion_pending();
        const std::string extension = lower_extension(it->path());
        if (std::ranges::find(kImages, extension) != kImages.end()) ++counts[extension];
    }
    const auto most = std::ranges::max_element(
        counts, [](const auto& a, const auto& b) { return a.second < b.second; });
    return most == counts.end() ? "" : most->first;
}

}  // namespace

std::string_view recognise_format(std::string_view bytes) {
    if (!looks_binary(bytes)) return "";
    for (const Magic& magic : kMagics) {
        if (bytes.size() > magic.at && bytes.substr(magic.at).starts_with(magic.bytes))
            return magic.format;
    }
    return is_idx(bytes) ? "IDX (MNIST's layout)" : "";
}

std::string recognise_data(const fs::path& path) {
    std::error_code error;
    if (fs::is_directory(path, error)) {
        const std::string images = images_in(path);
        return images.empty() ? "a folder" : fmt::format("a folder of {} images", images);
    }
    if (!fs::is_regular_file(path, error)) return "";
    std::array<char, 512> head{};
    std::ifstream file(path, std::ios::binary);
    file.read(head.data(), head.size());
    const auto format = recognise_format(
        {head.data(), static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0))});
    if (!format.empty())
        return fmt::format("{} {} file", format.front() == 'I' ? "an" : "a", format);
    const std::string extension = lower_extension(path);
    if (extension == ".csv" || extension == ".tsv") return "a CSV file";
    if (extension == ".json" || extension == ".jsonl") return "a JSON file";
    return "";
}

std::string_view readable_formats() {
    return "what can be read is UTF-8 text, CSV and Parquet tables, NumPy arrays, IDX (MNIST), "
           "folders of JPEG and PNG images, token files (.bin) and CIFAR's binary files: 'esper "
           "data info PATH' "
           "says what a path is, 'esper train PATH' trains on it";
}

}  // namespace esper::tolaria
