#include "esper/base/ids.h"

#include <gtest/gtest.h>

#include <type_traits>
#include <unordered_set>

namespace esper {
namespace {

using Row = StrongId<struct RowTag>;
using Column = StrongId<struct ColumnTag, std::uint64_t>;

static_assert(!std::is_convertible_v<std::uint32_t, Row>);
static_assert(!std::is_convertible_v<Row, std::uint32_t>);
static_assert(!std::is_constructible_v<Row, Column>);
static_assert(sizeof(Row) == 4 && sizeof(Column) == 8);

TEST(StrongId, ComparesByValueAndHashes) {
    EXPECT_EQ(Row(3), Row(3));
    EXPECT_LT(Row(3), Row(4));
    EXPECT_EQ(Row().value(), 0U);
    const std::unordered_set<Row> rows{Row(1), Row(2), Row(1)};
    EXPECT_EQ(rows.size(), 2U);
}

}  // namespace
}  // namespace esper
