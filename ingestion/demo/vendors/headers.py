"""Column headers of the vendors' CSV exports, as the vendors write them."""


def _columns(text: str) -> tuple[str, ...]:
    """Parse names separated by commas; line ends are only for the reader of this file."""
    return tuple(" ".join(name.split()) for name in text.split(","))


SALESFORCE_CONTACT = _columns(
    """
    Id, IsDeleted, MasterRecordId, AccountId, LastName, FirstName, Salutation, OtherStreet, OtherCity, OtherState,
    OtherPostalCode, OtherCountry, MailingStreet, MailingCity, MailingState, MailingPostalCode, MailingCountry,
    Phone, Fax, MobilePhone, HomePhone, OtherPhone, AssistantPhone, ReportsToId, Email, Title, Department,
    AssistantName, LeadSource, Birthdate, Description, OwnerId, HasOptedOutOfEmail, HasOptedOutOfFax, DoNotCall,
    CreatedDate, CreatedById, LastModifiedDate, LastModifiedById, SystemModstamp, LastActivityDate,
    LastCURequestDate, LastCUUpdateDate, EmailBouncedReason, EmailBouncedDate, LastNameKana__c, FirstNameKana__c
    """
)
SALESFORCE_ACCOUNT = _columns(
    """
    Id, IsDeleted, MasterRecordId, Name, Type, ParentId, BillingStreet, BillingCity, BillingState,
    BillingPostalCode, BillingCountry, Phone, Fax, AccountNumber, Website, Industry, AnnualRevenue,
    NumberOfEmployees, Description, OwnerId, CreatedDate, CreatedById, LastModifiedDate, LastModifiedById,
    SystemModstamp
    """
)
SALESFORCE_OPPORTUNITY = _columns(
    """
    Id, IsDeleted, AccountId, ContactId, Name, Description, StageName, Amount, Probability, CloseDate, Type,
    NextStep, LeadSource, IsClosed, IsWon, CurrencyIsoCode, OwnerId, CreatedDate, CreatedById, LastModifiedDate,
    LastModifiedById, SystemModstamp
    """
)
SALESFORCE_CASE = _columns(
    """
    Id, IsDeleted, MasterRecordId, CaseNumber, ContactId, AccountId, AssetId, ParentId, SuppliedName, SuppliedEmail,
    SuppliedPhone, SuppliedCompany, Type, Status, Reason, Origin, Subject, Priority, Description, IsClosed,
    ClosedDate, IsEscalated, OwnerId, CreatedDate, CreatedById, LastModifiedDate, LastModifiedById, SystemModstamp
    """
)
SHOPIFY_ORDERS = _columns(
    """
    Name, Email, Financial Status, Paid at, Fulfillment Status, Fulfilled at, Accepts Marketing, Currency, Subtotal,
    Shipping, Taxes, Total, Discount Code, Discount Amount, Shipping Method, Created at, Lineitem quantity, Lineitem
    name, Lineitem price, Lineitem compare at price, Lineitem sku, Lineitem requires shipping, Lineitem taxable,
    Lineitem fulfillment status, Billing Name, Billing Street, Billing Address1, Billing Address2, Billing Company,
    Billing City, Billing Zip, Billing Province, Billing Country, Billing Phone, Shipping Name, Shipping Street,
    Shipping Address1, Shipping Address2, Shipping Company, Shipping City, Shipping Zip, Shipping Province, Shipping
    Country, Shipping Phone, Notes, Note Attributes, Cancelled at, Payment Method, Payment Reference, Refunded
    Amount, Vendor, Outstanding Balance, Employee, Location, Device ID, Id, Tags, Risk Level, Source, Lineitem
    discount, Tax 1 Name, Tax 1 Value, Tax 2 Name, Tax 2 Value, Tax 3 Name, Tax 3 Value, Tax 4 Name, Tax 4 Value,
    Tax 5 Name, Tax 5 Value, Phone, Receipt Number, Duties, Billing Province Name, Shipping Province Name, Payment
    ID, Payment Terms Name, Next Payment Due At, Payment References
    """
)
SHOPIFY_CUSTOMERS = _columns(
    """
    Customer ID, First Name, Last Name, Email, Accepts Email Marketing, Default Address Company, Default Address
    Address1, Default Address Address2, Default Address City, Default Address Province Code, Default Address Country
    Code, Default Address Zip, Default Address Phone, Phone, Accepts SMS Marketing, Total Spent, Total Orders, Note,
    Tax Exempt, Tags
    """
)
DELIGHTED_RESPONSES = _columns(
    """
    Response ID, Person ID, Email, Name, Phone, Survey Type, Score, Comment, Tags, Sent At, Created At, Updated At,
    Touchpoint, Locale
    """
)
