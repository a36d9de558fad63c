#include "esper/services/tolaria/data/cifar10.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "esper/base/files.h"
#include "esper/base/hash.h"
#include "esper/base/random.h"
#include "esper/services/tolaria/data/file_format.h"

namespace esper::tolaria {
namespace {

constexpr std::size_t kRecords = 10000;
constexpr std::size_t kPixels = 3 * 32 * 32;
constexpr std::size_t kRecord = kPixels + 1;
constexpr std::uint32_t kTrainRecords = 50000;

tl::unexpected<Error> missing(const std::filesystem::path& file, const std::string& why) {
    return fail(
        DataError::kMissing,
        fmt::format("cannot read '{}' ({}); CIFAR-10 needs data_batch_1.bin … "
                    "data_batch_5.bin and test_batch.bin: run 'esper data fetch cifar10', or "
                    "unpack the data set's binary version (cifar-10-binary.tar.gz) and "
                    "set data.path to its folder",
                    file.string(), why));
}

Result<std::string> read_batch(const std::filesystem::path& file) {
    auto bytes = read_file(file, std::uint64_t{1} << 28);
    if (!bytes) return missing(file, bytes.error().message());
    if (bytes->size() != kRecords * kRecord) {
        return fail(DataError::kTruncated,
                    fmt::format("'{}' has {} bytes, a CIFAR-10 batch has {} (10,000 records of "
                                "{}); copy the file again",
                                file.string(), bytes->size(), kRecords * kRecord, kRecord));
    }
    for (std::size_t i = 0; i < kRecords; ++i) {
        const auto label = static_cast<unsigned char>((*bytes)[i * kRecord]);
        if (label > 9) {
            return fail(DataError::kCorrupt,
                        fmt::format("'{}' record {}: expected a class 0–9, found {}; the file is "
                                    "damaged or not the binary version of CIFAR-10",
                                    file.string(), i, label));
        }
    }
    return std::move(*bytes);
}

void append(ImagePart& part, const char* record) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(record);
    part.labels.push_back(bytes[0]);
    part.pixels.insert(part.pixels.end(), bytes + 1, bytes + kRecord);
}

void reserve(ImagePart& part, std::size_t images) {
    part.labels.reserve(images);
    part.pixels.reserve(images * kPixels);
}

}  // namespace

Cifar10::Cifar10(const Cifar10Options& options)
    : ImageDataset("cifar10",
                   {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship",
                    "truck"},
                   3, 32, 32, options.layout, options.augmentation) {}

Result<std::shared_ptr<const Cifar10>> Cifar10::open(const Cifar10Options& options) {
    ESPER_CHECK_STATUS(check_split(options.split));
    const auto part_of_all = [](double share) {
        return static_cast<std::uint32_t>(std::lround(share * kTrainRecords));
    };
    const std::uint32_t probe = part_of_all(options.split.probe);
    const std::uint32_t validation = part_of_all(options.split.validation);
    if (probe == 0 || validation == 0 || probe + validation >= kTrainRecords) {
        return fail(DataError::kBadOption,
                    fmt::format("data.split gives {} probe and {} validation images of CIFAR-10's "
                                "{}, but each part, train too, needs some; mend the shares",
                                probe, validation, kTrainRecords));
    }
    std::uint32_t train = kTrainRecords - probe - validation;
    if (options.split.train_examples != 0) train = std::min(train, options.split.train_examples);

    std::filesystem::path folder = options.folder;
    if (std::error_code none; std::filesystem::is_directory(folder / "cifar-10-batches-bin", none))
        folder /= "cifar-10-batches-bin";

    if (std::error_code none; !std::filesystem::exists(folder / "data_batch_1.bin", none)) {
        const std::string found = recognise_data(folder);
        if (!found.empty() && found != "a folder") {
            return fail(DataError::kUnsupportedFormat,
                        fmt::format("'{}' is {}, which is not supported as images; {}",
                                    folder.string(), found, readable_formats()));
        }
    }

    std::shared_ptr<Cifar10> set(new Cifar10(options));
    auto& parts = set->parts_;
    Sha256Hasher hasher;
    hasher.update_field("cifar10");
    for (const std::uint32_t n : {train, probe, validation}) hasher.update_u64(n);

    // Each record's part, by its place in a permutation that no option can change: the part of a
    // record depends on the sizes only.
    RandomStream stream(0, "cifar10.split");
    const std::vector<std::uint32_t> order = random_permutation(stream, kTrainRecords);
    std::vector<std::uint8_t> part_of(kTrainRecords, kPartCount);
    const auto assign = [&](Part part, std::uint32_t from, std::uint32_t count) {
        for (std::uint32_t i = from; i < from + count; ++i)
            part_of[order[i]] = static_cast<std::uint8_t>(part);
        reserve(parts[static_cast<std::size_t>(part)], count);
    };
    assign(Part::kProbe, 0, probe);
    assign(Part::kValidation, probe, validation);
    assign(Part::kTrain, probe + validation, train);
    for (std::size_t batch = 0; batch < 5; ++batch) {
        ESPER_TRY(const std::string bytes,
                  read_batch(folder / fmt::format("data_batch_{}.bin", batch + 1)));
        hasher.update(bytes);
        for (std::size_t i = 0; i < kRecords; ++i) {
            const std::size_t part = part_of[batch * kRecords + i];
            if (part < kPartCount) append(parts[part], bytes.data() + i * kRecord);
        }
    }
    ESPER_TRY(const std::string bytes, read_batch(folder / "test_batch.bin"));
    hasher.update(bytes);
    ImagePart& test_part = parts[static_cast<std::size_t>(Part::kTest)];
    reserve(test_part, kRecords);
    for (std::size_t i = 0; i < kRecords; ++i) append(test_part, bytes.data() + i * kRecord);

    set->set_brings(false, true);
    set->normalise_by(set->part(Part::kTrain));
    set->set_fingerprint(hasher.finish().hex());
    return set;
}

std::uint32_t Cifar10::size(Part which) const {
    return static_cast<std::uint32_t>(part(which).labels.size());
}

}  // namespace esper::tolaria
