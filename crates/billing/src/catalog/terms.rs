//! The words of a catalog: closed lists of names, as they stand in its XML and on the wire.

use std::fmt;

/// Declares an enumeration whose values have Kill Bill's names.
macro_rules! terms {
    ($(#[$doc:meta])* $name:ident { $($(#[$value_doc:meta])* $value:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$value_doc])* $value,)+ }

        impl Term for $name {
            const ALL: &'static [$name] = &[$($name::$value,)+];
            fn name(self) -> &'static str {
                match self { $($name::$value => $text,)+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

/// A value of a closed list.
pub trait Term: Copy + 'static {
    /// Every value, in the order of declaration.
    const ALL: &'static [Self];
    /// The name on the wire.
    fn name(self) -> &'static str;
    /// The value with this name.
    fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|value| value.name() == name)
    }
}

terms! {
    /// How often a recurring price is charged, or use is counted.
    BillingPeriod {
        /// Every day.
        Daily = "DAILY",
        /// Every 7 days.
        Weekly = "WEEKLY",
        /// Every 14 days.
        Biweekly = "BIWEEKLY",
        /// Every 30 days.
        ThirtyDays = "THIRTY_DAYS",
        /// Every 31 days.
        ThirtyOneDays = "THIRTY_ONE_DAYS",
        /// Every 60 days.
        SixtyDays = "SIXTY_DAYS",
        /// Every 90 days.
        NinetyDays = "NINETY_DAYS",
        /// Every month.
        Monthly = "MONTHLY",
        /// Every 2 months.
        Bimestrial = "BIMESTRIAL",
        /// Every 3 months.
        Quarterly = "QUARTERLY",
        /// Every 4 months.
        Triannual = "TRIANNUAL",
        /// Every 6 months.
        Biannual = "BIANNUAL",
        /// Every year.
        Annual = "ANNUAL",
        /// Every 18 months.
        Sesquiennial = "SESQUIENNIAL",
        /// Every 2 years.
        Biennial = "BIENNIAL",
        /// Every 3 years.
        Triennial = "TRIENNIAL",
        /// Never.
        None = "NO_BILLING_PERIOD",
    }
}

terms! {
    /// Whether a period is charged at its start or at its end.
    BillingMode {
        /// At the start.
        InAdvance = "IN_ADVANCE",
        /// At the end.
        InArrear = "IN_ARREAR",
    }
}

terms! {
    /// How a product is bought.
    ProductCategory {
        /// One to a bundle; others may be added to it.
        Base = "BASE",
        /// Only together with a base.
        AddOn = "ADD_ON",
        /// By itself, any number to a bundle.
        Standalone = "STANDALONE",
    }
}

terms! {
    /// The kind of a stretch of a plan.
    PhaseType {
        /// To try it out.
        Trial = "TRIAL",
        /// At another price for a while.
        Discount = "DISCOUNT",
        /// For a time that ends.
        FixedTerm = "FIXEDTERM",
        /// Without an end.
        Evergreen = "EVERGREEN",
    }
}

impl PhaseType {
    /// What the name of a phase of this type has behind its plan's name and a hyphen.
    pub fn suffix(self) -> &'static str {
        match self {
            PhaseType::Trial => "trial",
            PhaseType::Discount => "discount",
            PhaseType::FixedTerm => "fixedterm",
            PhaseType::Evergreen => "evergreen",
        }
    }
}

terms! {
    /// What the length of a phase is counted in.
    TimeUnit {
        /// Calendar days.
        Days = "DAYS",
        /// Calendar weeks.
        Weeks = "WEEKS",
        /// Calendar months.
        Months = "MONTHS",
        /// Calendar years.
        Years = "YEARS",
        /// It does not end.
        Unlimited = "UNLIMITED",
    }
}

terms! {
    /// When a change or cancellation takes effect.
    ActionPolicy {
        /// From the start of the period.
        StartOfTerm = "START_OF_TERM",
        /// When what is paid for has passed.
        EndOfTerm = "END_OF_TERM",
        /// At once.
        Immediate = "IMMEDIATE",
        /// Never: it is refused.
        Illegal = "ILLEGAL",
    }
}

terms! {
    /// From when the phases of a plan are laid out that a subscription changes to.
    ChangeAlignment {
        /// From the start of the bundle.
        StartOfBundle = "START_OF_BUNDLE",
        /// From the start of the subscription.
        StartOfSubscription = "START_OF_SUBSCRIPTION",
        /// From the change.
        ChangeOfPlan = "CHANGE_OF_PLAN",
        /// From the last change of the price list.
        ChangeOfPriceList = "CHANGE_OF_PRICELIST",
    }
}

terms! {
    /// From when the phases of a new subscription are laid out.
    CreateAlignment {
        /// From the start of the bundle.
        StartOfBundle = "START_OF_BUNDLE",
        /// From the start of the subscription.
        StartOfSubscription = "START_OF_SUBSCRIPTION",
    }
}

terms! {
    /// Whose bill cycle day a subscription follows.
    BillingAlignment {
        /// The account's.
        Account = "ACCOUNT",
        /// That of the bundle's base.
        Bundle = "BUNDLE",
        /// Its own.
        Subscription = "SUBSCRIPTION",
    }
}

terms! {
    /// What a fixed price is paid for.
    FixedType {
        /// Once.
        OneTime = "ONE_TIME",
    }
}

terms! {
    /// What is counted of a unit.
    UsageType {
        /// The most that was in use.
        Capacity = "CAPACITY",
        /// What was used up.
        Consumable = "CONSUMABLE",
    }
}

terms! {
    /// Which tiers a quantity is priced by.
    TierBlockPolicy {
        /// Each by the part of the quantity that falls into it.
        AllTiers = "ALL_TIERS",
        /// The one that the whole quantity reaches.
        TopTier = "TOP_TIER",
    }
}

terms! {
    /// How a block of units is bought.
    BlockType {
        /// As it is.
        Vanilla = "VANILLA",
        /// Bought anew when the credit falls below a minimum.
        TopUp = "TOP_UP",
        /// As a step of a tier.
        Tiered = "TIERED",
    }
}
