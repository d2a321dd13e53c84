//! Arabic.
//! Text messages have 70 characters, for the name and the domain too.
//!
//! It waits for a native reader.

use std::borrow::Cow::Borrowed;

use super::Texts;

pub(super) static TEXTS: Texts = Texts {
    subject: Borrowed("رمز {app} الخاص بك"),
    validity: Borrowed("صالح لمدة {minutes} ويُستخدم مرة واحدة فقط."),
    one_minute: Borrowed("دقيقة واحدة"),
    two_minutes: Borrowed("دقيقتين"),
    few_minutes: Borrowed("{n} دقائق"),
    minutes: Borrowed("{n} دقائق"),
    requested: Borrowed("من طلب الرمز"),
    device: Borrowed("المتصفح والنظام"),
    time: Borrowed("الوقت"),
    network: Borrowed("الشبكة التقريبية"),
    advice: Borrowed(
        "إذا لم تطلب هذا الرمز، فقد يكون أحدهم يعرف كلمة مرورك. غيّرها الآن، ولا تشارك هذا الرمز مع أحد أبدًا.",
    ),
    support: Borrowed("هل لديك أسئلة؟ راسلنا على {support}."),
    sms: Borrowed("{code} رمز {app}. لم تطلبه؟ غيّر كلمة السر"),
};
