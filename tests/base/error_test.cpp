#include "esper/base/error.h"

#include <gtest/gtest.h>

#include <memory>

namespace esper {
namespace error_test {

#define ESPER_KITCHEN_ERRORS(X) X(kBurnt, kRuntime) X(kBadRecipe, kUsage) X(kNoFlour, kData)
ESPER_DEFINE_ERRORS(KitchenError, "kitchen", ESPER_KITCHEN_ERRORS)
#define ESPER_GARDEN_ERRORS(X) X(kFrost, kVerification)
ESPER_DEFINE_ERRORS(GardenError, "garden", ESPER_GARDEN_ERRORS)

}  // namespace error_test

namespace {

using namespace error_test;

Result<std::unique_ptr<int>> bake(bool flour) {
    if (!flour)
        return fail(KitchenError::kNoFlour, "expected 500 g of flour, found none; buy some");
    return std::make_unique<int>(7);
}

Result<int> breakfast(bool flour) {
    ESPER_TRY(auto bread, bake(flour));
    ESPER_TRY(const auto more, bake(true));
    return *bread + *more;
}

Status breakfast_status(bool flour) {
    ESPER_CHECK_STATUS(breakfast(flour));
    return {};
}

TEST(Error, KnowsItsRoomNameClassAndExitCode) {
    const Error error = fail(KitchenError::kBadRecipe, "what").value();
    EXPECT_EQ(error.room(), "kitchen");
    EXPECT_EQ(error.name(), "BadRecipe");
    EXPECT_EQ(error.error_class(), ErrorClass::kUsage);
    EXPECT_EQ(error.exit_code(), 2);
    EXPECT_EQ(error.to_string(), "kitchen.BadRecipe: what");
}

TEST(Error, IsOneValueOfOneRoomOnly) {
    const Error error = fail(KitchenError::kBurnt, "").value();
    EXPECT_TRUE(error.is(KitchenError::kBurnt));
    EXPECT_FALSE(error.is(KitchenError::kBadRecipe));
    // The same integer in another room is another error.
    EXPECT_EQ(error.value(), static_cast<int>(GardenError::kFrost));
    EXPECT_FALSE(error.is(GardenError::kFrost));
}

TEST(Error, ContextGoesInFrontOfTheMessage) {
    const Error inner = fail(KitchenError::kBurnt, "too hot").value();
    EXPECT_EQ(inner.within("oven 2").message(), "oven 2: too hot");
    EXPECT_TRUE(inner.within("oven 2").is(KitchenError::kBurnt));
}

TEST(Error, EveryValueOfAnEnumIsListed) {
    const auto all = esper_all_errors(KitchenError{});
    ASSERT_EQ(all.size(), 3U);
    EXPECT_EQ(esper_error_name(all[2]), "NoFlour");
    EXPECT_EQ(esper_error_class(esper_all_errors(GardenError{})[0]), ErrorClass::kVerification);
}

TEST(Error, TryBindsTheValueOrReturnsTheError) {
    EXPECT_EQ(breakfast(true).value(), 14);
    const auto none = breakfast(false);
    ASSERT_FALSE(none.has_value());
    EXPECT_TRUE(none.error().is(KitchenError::kNoFlour));
}

TEST(Error, CheckStatusReturnsTheError) {
    EXPECT_TRUE(breakfast_status(true).has_value());
    EXPECT_TRUE(breakfast_status(false).error().is(KitchenError::kNoFlour));
}

TEST(Error, ThrowingKeepsTheError) {
    EXPECT_EQ(*value_or_throw(bake(true)), 7);
    try {
        value_or_throw(breakfast_status(false));
        FAIL() << "expected an exception";
    } catch (const EsperException& e) {
        EXPECT_TRUE(e.error().is(KitchenError::kNoFlour));
        EXPECT_EQ(std::string(e.what()), e.error().to_string());
    }
}

}  // namespace
}  // namespace esper
