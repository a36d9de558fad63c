#include "esper/services/records/tensorboard.h"

#include <array>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>

#include "esper/base/clock.h"
#include "esper/base/files.h"
#include "esper/base/hash.h"
#include "esper/base/own_file.h"
#include "esper/services/records/metrics.h"
#include "esper/services/records/run_files.h"

namespace esper::records {

namespace fs = std::filesystem;

namespace {

// Integers and floats are little-endian, as the machines that Esper runs on.
template <typename T>
std::string bytes_of(T value) {
    std::string out(sizeof(T), '\0');
    std::memcpy(out.data(), &value, sizeof(T));
    return out;
}

std::string varint(std::uint64_t value) {
    std::string out;
    for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
    return out + static_cast<char>(value);
}

std::string field_of_bytes(char tag, const std::string& content) {
    return tag + varint(content.size()) + content;
}

// The mask that TFRecord puts over its checksums.
std::uint32_t masked_crc(std::string_view content) {
    const auto crc = crc32c(std::as_bytes(std::span(content)));
    return ((crc >> 15) | (crc << 17)) + 0xa282ead8U;
}

std::string record_of(const std::string& event) {
    const auto length = bytes_of(static_cast<std::uint64_t>(event.size()));
    return length + bytes_of(masked_crc(length)) + event + bytes_of(masked_crc(event));
}

// tensorflow.Event: wall_time = 1, step = 2, file_version = 3, summary = 5.
std::string event_at(double time) { return '\x09' + bytes_of(time); }

// tensorflow.Summary: value = 1 {tag = 1, simple_value = 2}.
std::string scalar(const std::string& tag, double value) {
    return field_of_bytes(
        '\x0a', field_of_bytes('\x0a', tag) + '\x15' + bytes_of(static_cast<float>(value)));
}

// Curves that belong together share what stands before the slash.
constexpr std::array<std::pair<const char*, const char*>, 10> kTags = {
    {{"train_loss", "loss/train"},
     {"val_loss", "loss/validation"},
     {"val_accuracy", "accuracy/validation"},
     {"learning_rate", "learning_rate"},
     {"parameters", "parameters"},
     {"flops_per_example", "flops/per_example"},
     {"flops_total", "flops/total"},
     {"seconds", "seconds"},
     {"examples_per_second", "examples_per_second"},
     {"resident_bytes", "resident_bytes"}}};

std::string record_of_row(const MetricsRow& row, double began) {
    const auto figures = to_json(row);
    std::string summary;
    for (const auto& [column, tag] : kTags)
        if (const auto value = figures.at(column); value.is_number())
            summary += scalar(tag, value.get<double>());
    return record_of(event_at(began + row.seconds.value_or(0)) + '\x10' +
                     varint(static_cast<std::uint64_t>(row.step)) +
                     field_of_bytes('\x2a', summary));
}

constexpr std::size_t kTimeAt = 8 + 4 + 1;  ///< of the first record
// Older versions wrote the seconds since the machine had started.
constexpr double kLeastTime = 1e9;

std::optional<double> time_in(std::string_view file) {
    if (file.size() < kTimeAt + sizeof(double)) return std::nullopt;
    double time = 0;
    std::memcpy(&time, file.data() + kTimeAt, sizeof(double));
    if (!(time > kLeastTime)) return std::nullopt;
    return time;
}

}  // namespace

Status write_tensorboard(const fs::path& run) {
    static_assert(std::endian::native == std::endian::little);
    const auto file = run / "tb" / "events.out.tfevents.esper";
    std::error_code error;
    if (fs::is_symlink(file.parent_path(), error))
        return fail(OwnFileError::kSymbolicLink,
                    file.parent_path().string() + " is a symbolic link, which is not followed");
    fs::create_directories(file.parent_path(), error);
    ESPER_TRY(const auto rows, read_metrics(run));
    const auto before = read_own_file(file);
    if (!before && before.error().is(OwnFileError::kSymbolicLink)) return fail(before.error());
    // When the run began, stops left out, stays what it was: a resume moves no point.
    const double now = static_cast<double>(system_clock().utc_ns()) * 1e-9;
    const double last = rows.empty() ? 0 : rows.back().seconds.value_or(0);
    const double began = before ? time_in(*before).value_or(now - last) : now - last;
    auto content = record_of(event_at(began) + field_of_bytes('\x1a', "brain.Event:2"));
    for (const auto& row : rows) content += record_of_row(row, began);
    return write_file_atomic(file, content);
}

}  // namespace esper::records
