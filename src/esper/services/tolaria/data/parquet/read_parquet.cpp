// The only source that includes Arrow. It becomes libesper_parquet.so, which the program opens when
// it meets a Parquet file: no other command loads Arrow.
#include <arrow/api.h>
#include <arrow/compute/api.h>
#include <arrow/io/memory.h>
#include <parquet/arrow/reader.h>
#include <parquet/arrow/schema.h>
#include <parquet/exception.h>
#include <parquet/file_reader.h>

#include <algorithm>
#include <exception>
#include <set>

#include "esper/services/tolaria/data/parquet/parquet_table.h"

namespace esper::tolaria {
namespace {

using Fault = ParquetTable::Fault;

constexpr std::int64_t kMostLeaves = 1 << 16;
constexpr std::int64_t kMostRows = std::int64_t{UINT32_MAX};
constexpr std::int32_t kMostThriftItems = 200'000;
constexpr std::int64_t kCellsAtOnce = 1 << 22;

struct Refusal {
    Fault fault;
    std::string message;
};

[[noreturn]] void refuse(Fault fault, std::string message) {
    throw Refusal{fault, std::move(message)};
}

void check(const arrow::Status& status) {
    if (status.ok()) return;
    if (status.IsOutOfMemory() || status.IsCapacityError())
        refuse(Fault::kTooLarge,
               "unpacking it takes more than an eighth of this machine's memory (" +
                   status.message() + ")");
    refuse(Fault::kCorrupt, status.message());
}

template <typename T>
T taken(arrow::Result<T> result) {
    check(result.status());
    return std::move(result).ValueUnsafe();
}

/// pandas keeps an index as a last column of such a name.
bool is_pandas_index(const std::string& name) {
    return name.starts_with("__index_level_") && name.ends_with("__");
}

bool has_text(const arrow::DataType& type) {
    const auto& value = type.id() == arrow::Type::DICTIONARY
                            ? *static_cast<const arrow::DictionaryType&>(type).value_type()
                            : type;
    return value.id() == arrow::Type::BOOL || value.id() == arrow::Type::NA ||
           (!arrow::is_nested(value.id()) && value.id() != arrow::Type::EXTENSION &&
            arrow::compute::CanCast(value, *arrow::large_utf8()));
}

/// pandas writes no clock where a whole column has midnight, and no fraction where none has one.
void shorten_times(std::vector<std::string>& cells) {
    const auto all = [&](std::string_view end) {
        return std::ranges::all_of(
            cells, [&](const auto& cell) { return cell.empty() || cell.ends_with(end); });
    };
    const auto cut = [&](std::size_t count) {
        for (auto& cell : cells) cell.resize(cell.size() - std::min(cell.size(), count));
    };
    for (const std::string zeros : {".000000000", ".000000", ".000"})
        if (all(zeros)) cut(zeros.size());
    if (all(" 00:00:00")) cut(9);
}

class Reader {
  public:
    Reader(std::string_view bytes, std::uint64_t most_bytes, ParquetTable& table)
        : table_(table),
          most_bytes_(most_bytes),
          pool_(arrow::system_memory_pool(), static_cast<std::int64_t>(most_bytes / 4)),
          context_(&pool_) {
        parquet::ReaderProperties properties(&pool_);
        properties.set_thrift_container_size_limit(kMostThriftItems);
        auto source =
            std::make_shared<arrow::io::BufferReader>(std::make_shared<arrow::Buffer>(bytes));
        auto file = parquet::ParquetFileReader::Open(std::move(source), properties);
        const auto metadata = file->metadata();
        check_size(metadata->num_rows(), metadata->num_columns());
        parquet::ArrowReaderProperties reading(false);
        reading.set_pre_buffer(false);
        reading.set_batch_size(std::clamp<std::int64_t>(
            kCellsAtOnce / std::max(1, metadata->num_columns()), 64, 1 << 16));
        reader_ = taken(parquet::arrow::FileReader::Make(&pool_, std::move(file), reading));
    }

    void read() {
        const auto leaves = choose_columns();
        std::vector<int> groups(static_cast<std::size_t>(reader_->num_row_groups()));
        for (std::size_t i = 0; i < groups.size(); ++i) groups[i] = static_cast<int>(i);
        if (!leaves.empty()) {
            const auto batches = taken(reader_->GetRecordBatchReader(groups, leaves));
            while (const auto batch = taken(batches->Next())) add(*batch);
        }
        for (std::size_t c = 0; c < times_.size(); ++c)
            if (is_time_[c]) keep_times(c);
    }

  private:
    void check_size(std::int64_t rows, std::int64_t columns) const {
        if (columns > kMostLeaves)
            refuse(Fault::kTooLarge, "its head names " + std::to_string(columns) +
                                         " columns; the most are " + std::to_string(kMostLeaves));
        if (rows < 0 || rows > kMostRows)
            refuse(Fault::kTooLarge, "its head names " + std::to_string(rows) +
                                         " rows; the most are " + std::to_string(kMostRows));
        const auto cells = static_cast<std::uint64_t>(rows) * static_cast<std::uint64_t>(columns);
        if (cells > most_bytes_ * 3 / 4 / sizeof(std::string_view))
            refuse(Fault::kTooLarge,
                   "its head names " + std::to_string(rows) + " rows of " +
                       std::to_string(columns) +
                       " columns, which would take more than half of this machine's memory; "
                       "leave out columns or rows");
    }

    // The places of those columns in the file that can be read.
    std::vector<int> choose_columns() {
        std::vector<int> leaves;
        std::set<std::string> seen;
        for (const auto& field : reader_->manifest().schema_fields) {
            const auto& name = field.field->name();
            if (is_pandas_index(name)) {
                table_.left_out.emplace_back(name, "it is an index of pandas");
            } else if (!field.is_leaf() || !has_text(*field.field->type())) {
                table_.left_out.emplace_back(name,
                                             "it is a " + field.field->type()->ToString() +
                                                 ", of which a row has no single number or text");
            } else {
                if (!seen.insert(name).second)
                    refuse(Fault::kCorrupt, "two of its columns are named '" + name + "'");
                table_.names.push_back(name);
                leaves.push_back(field.column_index);
                const auto id = field.field->type()->id();
                is_time_.push_back(id == arrow::Type::TIMESTAMP || id == arrow::Type::TIME32 ||
                                   id == arrow::Type::TIME64 || id == arrow::Type::DATE64);
            }
        }
        table_.columns.resize(leaves.size());
        times_.resize(leaves.size());
        return leaves;
    }

    void add(const arrow::RecordBatch& batch) {
        check(batch.ValidateFull());
        table_.rows += static_cast<std::uint64_t>(batch.num_rows());
        if (static_cast<std::size_t>(batch.num_columns()) != table_.columns.size())
            refuse(Fault::kCorrupt, "its row groups have different columns");
        for (std::size_t c = 0; c < table_.columns.size(); ++c)
            add_cells(c, batch.column(static_cast<int>(c)));
    }

    void add_cells(std::size_t column, std::shared_ptr<arrow::Array> array) {
        if (array->type_id() == arrow::Type::DICTIONARY)
            array = cast(*array,
                         static_cast<const arrow::DictionaryType&>(*array->type()).value_type());
        const auto rows = array->length();
        take(static_cast<std::uint64_t>(rows) * sizeof(std::string_view));
        auto& cells = table_.columns[column];
        if (array->type_id() == arrow::Type::NA) {
            cells.resize(cells.size() + static_cast<std::size_t>(rows));
            return;
        }
        if (array->type_id() == arrow::Type::BOOL) {
            const auto& values = static_cast<const arrow::BooleanArray&>(*array);
            for (std::int64_t i = 0; i < rows; ++i)
                cells.push_back(values.IsNull(i)  ? std::string_view()
                                : values.Value(i) ? "True"
                                                  : "False");
            return;
        }
        const auto kept = cast(*array, arrow::large_utf8());
        const auto& texts = static_cast<const arrow::LargeStringArray&>(*kept);
        take(static_cast<std::uint64_t>(texts.total_values_length()));
        if (is_time_[column]) {
            take(static_cast<std::uint64_t>(rows) * sizeof(std::string));
            for (std::int64_t i = 0; i < rows; ++i)
                times_[column].emplace_back(texts.IsNull(i) ? "" : texts.GetView(i));
            return;
        }
        auto& text = table_.texts.emplace_back();
        text.reserve(static_cast<std::size_t>(texts.total_values_length()));
        for (std::int64_t i = 0; i < rows; ++i)
            if (!texts.IsNull(i)) text += texts.GetView(i);
        std::size_t at = 0;
        for (std::int64_t i = 0; i < rows; ++i) {
            const auto length =
                texts.IsNull(i) ? 0 : static_cast<std::size_t>(texts.value_length(i));
            cells.push_back(std::string_view(text).substr(at, length));
            at += length;
        }
    }

    void keep_times(std::size_t column) {
        shorten_times(times_[column]);
        for (auto& cell : times_[column])
            table_.columns[column].push_back(table_.texts.emplace_back(std::move(cell)));
        times_[column].clear();
    }

    std::shared_ptr<arrow::Array> cast(const arrow::Array& array,
                                       const std::shared_ptr<arrow::DataType>& type) {
        return taken(
            arrow::compute::Cast(array, type, arrow::compute::CastOptions::Safe(type), &context_));
    }

    void take(std::uint64_t bytes) {
        taken_ += bytes;
        if (taken_ > most_bytes_ * 3 / 4)
            refuse(Fault::kTooLarge,
                   "its cells take more than half of this machine's memory; "
                   "leave out columns or rows");
    }

    ParquetTable& table_;
    std::uint64_t most_bytes_;
    std::uint64_t taken_ = 0;
    arrow::CappedMemoryPool pool_;
    arrow::compute::ExecContext context_;
    std::unique_ptr<parquet::arrow::FileReader> reader_;
    std::vector<bool> is_time_;
    std::vector<std::vector<std::string>> times_;
};

void set_fault(ParquetTable& table, Fault fault, std::string message) {
    table = {};
    table.fault = fault;
    table.message = std::move(message);
}

}  // namespace
}  // namespace esper::tolaria

extern "C" __attribute__((visibility("default"))) void esper_read_parquet_1(
    std::string_view bytes, std::uint64_t most_bytes, esper::tolaria::ParquetTable& table) {
    using esper::tolaria::Fault;
    using esper::tolaria::set_fault;
    try {
        esper::tolaria::Reader(bytes, most_bytes, table).read();
    } catch (const esper::tolaria::Refusal& refusal) {
        set_fault(table, refusal.fault, refusal.message);
    } catch (const std::bad_alloc&) {
        set_fault(table, Fault::kTooLarge, "there is not memory enough to unpack it");
    } catch (const std::exception& error) {
        set_fault(table, Fault::kCorrupt, error.what());
    }
}
