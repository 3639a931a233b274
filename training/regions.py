"""Regions: which part of the world a text speaks of first, by names of countries and their people.

It serves to slice an evaluation, not to place an event: no gazetteer, no cities, no reading of what the name is doing in the
sentence. Regions are a newsroom's: Egypt and Turkey stand with the Middle East, Central Asia with Asia-Pacific. Names are
matched as they are written (a turkey is no Turkey), with or without an s. States of the United States are there because
American outlets name the state alone; "Georgia", a state and a country, is not.
"""

import re
from collections import Counter
from typing import Final

OPENING: Final = 60  # words of a text that are read
NONE_TOLD: Final = "none told"

AFRICA: Final = """
Africa, African, Sahel, Algeria, Algerian, Angola, Angolan, Benin, Beninese, Botswana, Burkina Faso, Burkinabe,
Burundi, Burundian, Cameroon, Cameroonian, Cape Verde, Central African Republic, Chad, Chadian, Comoros, Comorian,
Congo, Congolese, DRC, Ivory Coast, Côte d'Ivoire, Ivorian, Djibouti, Equatorial Guinea, Eritrea, Eritrean, Eswatini,
Swaziland, Ethiopia, Ethiopian, Tigray, Tigrayan, Gabon, Gabonese, Gambia, Gambian, Ghana, Ghanaian, Guinea, Guinean,
Guinea-Bissau, Kenya, Kenyan, Lesotho, Liberia, Liberian, Libya, Libyan, Madagascar, Malagasy, Malawi, Malawian, Mali,
Malian, Mauritania, Mauritanian, Mauritius, Mauritian, Morocco, Moroccan, Western Sahara, Sahrawi, Mozambique,
Mozambican, Namibia, Namibian, Niger, Nigerien, Nigeria, Nigerian, Rwanda, Rwandan, São Tomé, Senegal, Senegalese,
Seychelles, Sierra Leone, Sierra Leonean, Somalia, Somali, Somaliland, South Africa, South African, South Sudan, South
Sudanese, Sudan, Sudanese, Darfur, Tanzania, Tanzanian, Togo, Togolese, Tunisia, Tunisian, Uganda, Ugandan, Zambia,
Zambian, Zimbabwe, Zimbabwean
"""

AMERICAS: Final = """
America, American, Latin America, Latin American, North America, North American, South America, South American,
Central America, Central American, African American, Asian American, Native American, Caribbean, United States, U.S.,
US, USA, Puerto Rico, Puerto Rican, Canada, Canadian, British Columbia, Quebec, Greenland, Mexico, Mexican, New
Mexico, Antigua, Argentina, Argentine, Argentinian, Bahamas, Bahamian, Barbados, Barbadian, Belize, Belizean, Bolivia,
Bolivian, Brazil, Brazilian, Chile, Chilean, Colombia, Colombian, Costa Rica, Costa Rican, Cuba, Cuban, Dominica,
Dominican, Dominican Republic, Ecuador, Ecuadorian, Ecuadorean, El Salvador, Salvadoran, Grenada, Guatemala,
Guatemalan, Guyana, Guyanese, French Guiana, Haiti, Haitian, Honduras, Honduran, Jamaica, Jamaican, Nicaragua,
Nicaraguan, Panama, Panamanian, Paraguay, Paraguayan, Peru, Peruvian, Saint Kitts, Saint Lucia, Saint Vincent,
Vincentian, Suriname, Surinamese, Trinidad, Trinidadian, Uruguay, Uruguayan, Venezuela, Venezuelan, Alabama, Alaska,
Arizona, Arkansas, California, Colorado, Connecticut, Delaware, Florida, Hawaii, Idaho, Illinois, Indiana, Iowa,
Kansas, Kentucky, Louisiana, Maine, Maryland, Massachusetts, Michigan, Minnesota, Mississippi, Missouri, Montana,
Nebraska, Nevada, New Hampshire, New Jersey, New York, North Carolina, North Dakota, Ohio, Oklahoma, Oregon,
Pennsylvania, Rhode Island, South Carolina, South Dakota, Tennessee, Texas, Utah, Vermont, Virginia, West Virginia,
Wisconsin, Wyoming
"""

ASIA_PACIFIC: Final = """
Asia, Asian, Asia-Pacific, Central Asia, Southeast Asia, Pacific Islands, Afghanistan, Afghan, Taliban, Australia,
Australian, New South Wales, Bangladesh, Bangladeshi, Rohingya, Bhutan, Bhutanese, Brunei, Cambodia, Cambodian, China,
Chinese, Tibet, Tibetan, Uyghur, Xinjiang, Fiji, Fijian, Hong Kong, India, Indian, Kashmir, Kashmiri, Indonesia,
Indonesian, Japan, Japanese, Kazakhstan, Kazakh, Kiribati, Korea, Korean, North Korea, North Korean, South Korea,
South Korean, Kyrgyzstan, Kyrgyz, Laos, Laotian, Macau, Malaysia, Malaysian, Maldives, Maldivian, Marshall Islands,
Micronesia, Mongolia, Mongolian, Myanmar, Burma, Burmese, Nauru, Nepal, Nepali, Nepalese, New Caledonia, New Zealand,
New Zealander, Pakistan, Pakistani, Balochistan, Baloch, Palau, Papua New Guinea, Philippine, Filipino, Samoa, Samoan,
Singapore, Singaporean, Solomon Islands, Sri Lanka, Sri Lankan, Taiwan, Taiwanese, Tajikistan, Tajik, Thailand, Thai,
Timor-Leste, East Timor, Tonga, Tongan, Turkmenistan, Turkmen, Tuvalu, Uzbekistan, Uzbek, Vanuatu, Vietnam, Vietnamese
"""

EUROPE: Final = """
Europe, European, European Union, EU, Balkans, Albania, Albanian, Andorra, Armenia, Armenian, Azerbaijan, Azerbaijani,
Austria, Austrian, Belarus, Belarusian, Belgium, Belgian, Bosnia, Bosnian, Bulgaria, Bulgarian, Croatia, Croatian,
Cyprus, Cypriot, Czech, Czech Republic, Czechia, Denmark, Danish, Danes, Estonia, Estonian, Finland, Finnish, Finns,
France, French, Georgian, Germany, German, Greece, Greek, Hungary, Hungarian, Iceland, Icelandic, Ireland, Irish,
Northern Ireland, Italy, Italian, Kosovo, Kosovar, Latvia, Latvian, Liechtenstein, Lithuania, Lithuanian, Luxembourg,
Malta, Maltese, Moldova, Moldovan, Transnistria, Monaco, Montenegro, Montenegrin, Netherlands, Dutch, North Macedonia,
Macedonian, Norway, Norwegian, Poland, Polish, Poles, Portugal, Portuguese, Romania, Romanian, Russia, Russian,
Chechnya, Chechen, San Marino, Serbia, Serbian, Serbs, Slovakia, Slovak, Slovenia, Slovenian, Spain, Spanish,
Catalonia, Catalan, Sweden, Swedish, Swedes, Switzerland, Swiss, Ukraine, Ukrainian, Crimea, Crimean, United Kingdom,
UK, U.K., Britain, British, Britons, England, English, Scotland, Scottish, Wales, Welsh, Vatican
"""

MIDDLE_EAST: Final = """
Middle East, Middle Eastern, Bahrain, Bahraini, Egypt, Egyptian, Iran, Iranian, Iraq, Iraqi, Kurdistan, Kurdish,
Kurds, Israel, Israeli, Gaza, Gazans, West Bank, Palestine, Palestinian, Hamas, Hezbollah, Jordan, Jordanian, Kuwait,
Kuwaiti, Lebanon, Lebanese, Oman, Omani, Qatar, Qatari, Saudi, Saudi Arabia, Syria, Syrian, Turkey, Türkiye, Turkish,
Turks, United Arab Emirates, UAE, Emirati, Yemen, Yemeni, Houthi
"""

REGIONS: Final = {
    "Africa": AFRICA,
    "Americas": AMERICAS,
    "Asia-Pacific": ASIA_PACIFIC,
    "Europe": EUROPE,
    "Middle East": MIDDLE_EAST,
}
REGION_OF: Final = {" ".join(name.split()): region for region, names in REGIONS.items() for name in names.split(",")}
# The longest name first: "South Korean" before "Korean", "British Columbia" before "British".
NAME: Final = re.compile(
    r"(?<!\w)(" + "|".join(re.escape(name) for name in sorted(REGION_OF, key=len, reverse=True)) + r")s?(?!\w)"
)


def region_of(text: str) -> str:
    """The region that the first words of `text` name most often, the earlier one where two are even; NONE_TOLD without any."""
    opening = " ".join(text.split()[:OPENING])
    told = Counter(REGION_OF[name] for name in NAME.findall(opening))
    return told.most_common(1)[0][0] if told else NONE_TOLD
