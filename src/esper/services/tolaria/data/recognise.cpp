#include "esper/services/tolaria/data/recognise.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>

#include "esper/base/ascii.h"
#include "esper/base/text.h"
#include "esper/services/tolaria/data/data_bytes.h"
#include "esper/services/tolaria/data/file_format.h"
#include "esper/services/tolaria/data/labelled_images.h"
#include "esper/services/tolaria/data/numpy_array.h"
#include "esper/services/tolaria/data/table_files.h"
#include "esper/services/tolaria/data/text_files.h"

namespace esper::tolaria {
namespace {

namespace fs = std::filesystem;
using configs::DataKind;

tl::unexpected<Error> refuse(const fs::path& path, std::string_view what, std::string_view advice) {
    return fail(DataError::kUnsupportedFormat,
                fmt::format("'{}' is {}; {}", path.string(), what, advice));
}

/// What to do about formats that are known and not read here.
struct Advice {
    std::string_view format;  ///< of recognise_format
    std::string_view advice;
};
constexpr auto kAdvice = std::to_array<Advice>({
    {"Arrow", "write it as CSV: pandas.read_feather(PATH).to_csv('data.csv', index=False)"},
    {"HDF5", "write its arrays with numpy.savez('data.npz', X=…, y=…)"},
    {"SQLite", "write the table as CSV: sqlite3 -header -csv PATH 'select * from …' > data.csv"},
    {"PDF", "take its text out first (pdftotext)"},
    {"7-Zip", "unpack it (7z x) and give the folder"},
    {"RAR", "unpack it (unrar x) and give the folder"},
    {"tar", "unpack it (tar -xf) and give the folder"},
    {"bzip2", "unpack it (bunzip2) and give what comes out"},
    {"xz", "unpack it (xz -d) and give what comes out"},
    {"Zstandard", "unpack it (zstd -d) and give what comes out"},
    {"UTF-16 text", "write it as UTF-8: iconv -f UTF-16 -t UTF-8 PATH > data.txt"},
    {"GIF", "give a folder with a sub-folder of JPEG or PNG images for each class"},
    {"PNG", "one image is no data set: give a folder with a sub-folder of images for each class"},
    {"JPEG", "one image is no data set: give a folder with a sub-folder of images for each class"},
});

/// Extension without .gz: `.csv` of `a.csv.gz`.
std::string extension_of(const fs::path& path) {
    const auto name = path.extension() == ".gz" ? path.stem() : path.filename();
    return lowered(name.extension().string());
}

bool is_pickle(const fs::path& path, std::string_view head) {
    const auto extension = extension_of(path);
    return extension == ".pkl" || extension == ".pickle" ||
           (head.size() > 2 && head[0] == '\x80' && head[1] >= 2 && head[1] <= 5);
}

// The first lines have the same number of delimiters, so it is a table whatever its name is.
bool looks_like_table(std::string_view head) {
    for (const char delimiter : {',', ';', '\t'}) {
        const auto lines = split(head, '\n');
        const auto count = std::ranges::count(lines[0], delimiter);
        if (count < 1 || lines.size() < 4) continue;
        if (std::all_of(lines.begin() + 1, lines.begin() + 3,
                        [&](const auto& l) { return std::ranges::count(l, delimiter) == count; }))
            return true;
    }
    return false;
}

// One dimension of whole numbers is a text in tokens.
Result<RecognisedData> recognise_npy(const fs::path& path) {
    ESPER_TRY(auto bytes, read_data_file(path));
    auto array = NumpyArray::parse(std::make_shared<std::string>(std::move(bytes)));
    if (!array) return fail(array.error().within(path.string()));
    if (array->shape().size() == 1 && array->is_whole())
        return RecognisedData{DataKind::kTokens, "token numbers (.npy)"};
    return RecognisedData{DataKind::kNumpy, "NumPy arrays"};
}

tl::unexpected<Error> refuse_zip(const fs::path& path) {
    const auto extension = extension_of(path);
    if (extension == ".pt" || extension == ".pth" || extension == ".ckpt")
        return refuse(path, "a PyTorch file, which can run any code when it is read",
                      "save its tensors with numpy.savez('data.npz', X=x.numpy(), y=y.numpy())");
    if (extension == ".xlsx" || extension == ".ods")
        return refuse(path, "a spreadsheet",
                      "write its table as CSV: pandas.read_excel(PATH)."
                      "to_csv('data.csv', index=False)");
    return refuse(path, "a zip archive",
                  "unpack it (unzip) and give the folder; NumPy's must be named .npz");
}

/// The format that a name promises and that has magic bytes.
std::string_view promised_format(const std::string& extension) {
    using Promise = std::pair<std::string_view, std::string_view>;
    constexpr auto kPromises = std::to_array<Promise>({{".npy", "a NumPy array"},
                                                       {".npz", "NumPy arrays"},
                                                       {".h5", "HDF5"},
                                                       {".hdf5", "HDF5"},
                                                       {".parquet", "Parquet"},
                                                       {".zip", "a zip archive"},
                                                       {".7z", "a 7-Zip archive"},
                                                       {".rar", "a RAR archive"},
                                                       {".tar", "a tar archive"},
                                                       {".pt", "a PyTorch file"},
                                                       {".pth", "a PyTorch file"}});
    for (const auto& [name, format] : kPromises)
        if (name == extension) return format;
    return "";
}

Result<RecognisedData> recognise_file(const fs::path& path) {
    const auto head = first_bytes(path);
    const auto extension = extension_of(path);
    if (head.empty())
        return fail(DataError::kTooSmall,
                    fmt::format("'{}' is empty or cannot be read", path.string()));
    if (is_pickle(path, head))
        return refuse(path, "a Python pickle, which can run any code when it is read",
                      "save its arrays with numpy.savez('data.npz', X=…, y=…); of CIFAR there is a "
                      "binary version (cifar-10-binary.tar.gz, or 'esper data fetch cifar10')");
    const auto format = recognise_format(head);
    if (extension == ".npy" && format.starts_with("NumPy")) return recognise_npy(path);
    if (extension == ".npz" && format.starts_with("zip"))
        return RecognisedData{DataKind::kNumpy, "NumPy arrays (.npz)"};
    if (format.starts_with("IDX"))
        return RecognisedData{DataKind::kIdx, "IDX, the layout of MNIST"};
    if (format == "Parquet") return RecognisedData{DataKind::kTable, "a table (Parquet)"};
    if (format.starts_with("zip")) return refuse_zip(path);
    if (const auto promised = promised_format(extension); format.empty() && !promised.empty())
        return fail(DataError::kCorrupt,
                    fmt::format("'{}' is named as {}, but does not begin as one does; it is "
                                "damaged, was not downloaded whole, or is named wrongly",
                                path.string(), promised));
    for (const auto& known : kAdvice)
        if (known.format == format)
            return refuse(path, fmt::format("a {} file", format), known.advice);
    if (extension == ".bin")
        return RecognisedData{DataKind::kTokens, "token numbers of 16 bits (nanoGPT's .bin)"};
    if (!format.empty()) return refuse(path, fmt::format("a {} file", format), readable_formats());
    if (extension == ".csv" || extension == ".tsv" || extension == ".tab" ||
        (extension == ".data" && looks_like_table(head)))
        return RecognisedData{DataKind::kTable, "a table (CSV)"};
    if (path.extension() == ".gz")
        return refuse(path, "a gzip file",
                      "unpack it (gunzip) and give what comes out; tables, IDX and .npy are read "
                      "packed");
    return RecognisedData{DataKind::kText, "text"};
}

/// A folder's files by what their names say.
struct FolderNames {
    bool npy = false, idx = false, parquet = false, texts = false, folders = false;
};

FolderNames names_in(const fs::path& folder) {
    FolderNames found;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(folder, none)) {
        const auto name = entry.path().filename().string();
        if (entry.is_directory(none)) {
            found.folders = found.folders || !name.starts_with('.');
            continue;
        }
        found.npy = found.npy || name.ends_with(".npy");
        found.idx = found.idx || name.find("idx3-ubyte") != std::string::npos;
        found.parquet = found.parquet || name.ends_with(".parquet");
        found.texts = found.texts || name.ends_with(".txt") || name.ends_with(".md");
    }
    return found;
}

Result<RecognisedData> recognise_folder(const fs::path& folder) {
    std::error_code none;
    const auto has = [&](const char* name) { return fs::exists(folder / name, none); };
    if (has("data_batch_1.bin") || has("cifar-10-batches-bin/data_batch_1.bin"))
        return RecognisedData{DataKind::kCifar10, "CIFAR-10 in its binary layout"};
    if (has("cifar-100-binary/train.bin") || (has("train.bin") && has("test.bin")))
        return RecognisedData{DataKind::kCifar100, "CIFAR-100 in its binary layout"};
    if (has("batches.meta") || has("cifar-10-batches-py") || has("cifar-100-python"))
        return refuse(folder, "CIFAR as Python pickles, which can run any code when they are read",
                      "run 'esper data fetch cifar10', or unpack cifar-10-binary.tar.gz or "
                      "cifar-100-binary.tar.gz");
    if (has("train.bin"))
        return RecognisedData{DataKind::kTokens, "token numbers of 16 bits (nanoGPT's .bin)"};
    const auto names = names_in(folder);
    if (names.idx) return RecognisedData{DataKind::kIdx, "IDX, the layout of MNIST"};
    if (names.npy) return RecognisedData{DataKind::kNumpy, "NumPy arrays"};
    if (names.parquet) {
        ESPER_TRY(const auto files, table_files(folder));
        return RecognisedData{DataKind::kTable,
                              fmt::format("tables (Parquet), {} files", files.size())};
    }
    const auto images = recognise_data(folder);
    if (has(kLabelsFile) && images != "a folder")
        return RecognisedData{DataKind::kImages, fmt::format("images, and {}", kLabelsFile)};
    if (names.folders && images != "a folder")
        return RecognisedData{DataKind::kImages, "images, a folder for each class"};
    if (names.texts) return RecognisedData{DataKind::kText, "texts"};
    if (images != "a folder")
        return refuse(folder, images + " without classes",
                      "put the images of each class into a sub-folder of its own, or write "
                      "labels.csv: the file's name, then its class, or 1 or 0 for each label");
    return refuse(folder, "a folder without data that are known", readable_formats());
}

}  // namespace

Result<RecognisedData> recognise(const fs::path& path) {
    std::error_code none;
    if (fs::is_directory(path, none)) return recognise_folder(path);
    if (fs::is_regular_file(path, none)) return recognise_file(path);
    if (is_pattern(path)) {
        ESPER_TRY(const auto files, text_files(path));
        ESPER_TRY(const auto first, recognise_file(files[0]));
        if (first.kind == DataKind::kText)
            return RecognisedData{DataKind::kText, fmt::format("texts, {} files", files.size())};
        if (first.kind == DataKind::kTable)
            return RecognisedData{DataKind::kTable,
                                  fmt::format("{}, {} files", first.what, files.size())};
        return refuse(path, fmt::format("a pattern for files of which the first is {}", first.what),
                      "patterns name texts and tables; give one file or a folder");
    }
    return fail(DataError::kMissing, fmt::format("there is no file or folder '{}'", path.string()));
}

bool looks_like_configuration(const fs::path& path) {
    const auto extension = lowered(path.extension().string());
    if (extension == ".yaml" || extension == ".yml") return true;
    std::error_code none;
    if (!fs::is_regular_file(path, none)) return false;
    constexpr auto kSections = std::to_array<std::string_view>(
        {"run:", "model:", "data:", "optimization:", "growth:", "controller:", "forge:",
         "checkpoint:", "telemetry:", "logging:", "services:", "storage:", "bus:"});
    for (const auto& line : split(first_bytes(path), '\n')) {
        if (line.empty() || line[0] == '#' || line == "---") continue;
        return std::ranges::any_of(kSections,
                                   [&](auto section) { return line.starts_with(section); });
    }
    return false;
}

}  // namespace esper::tolaria
