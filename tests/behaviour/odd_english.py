"""English as it is written: slang, names, cries, capitals, borrowed words, hashtags, emoji. One text a line."""

from __future__ import annotations

from typing import Final

_LINES: Final = r"""
I love this product!
lol
ok
meh
yesss
nooooooooooooooooooooooooo
hahahahahahahahahahahahahaha
hahaha omg lmaooooo im dead
LMFAOOOOOOOOOOOOOOOOOOOOO
aaaaaaaaaaaaaaaaaaaaaaaargh
omg yasssss queen slayyyyy
ughhhh mondaysssss
THIS IS THE BEST DAY EVER
WORST. SERVICE. EVER.
SO SO SO ANGRY RIGHT NOW
imo ur gr8 m8
wyd 2nite? hmu asap
ngl that slaps fr fr no cap
bruh moment deadass
gonna grab some grub brb
cuz u kno im always 2 late
i aint never goin back there yall
y'all ain't ready for this
innit bruv proper mental that was
wee bairn's cannae sleep again
g'day mate, how ya goin
jolly good show old chap
aw crikey that arvo was a ripper
wicked smaht kid from Southie
mi casa es su casa, come on over
c'est la vie I guess
que sera sera, whatever will be
deja vu all over again lol
bon voyage you two lovebirds
carpe diem people!
hasta la vista baby, great movie
schadenfreude is my favourite feeling
the Zeitgeist of Weltschmerz is real
their kimchi ramen and sushi rock
pho, banh mi and bun cha for lunch
spaghetti carbonara at Luigi's was amazing
quattro formaggi pizza from La Piazza is heaven
tortilla, guacamole, quesadilla: yum
Bayern Munich beat Borussia Dortmund
Real Madrid vs Atletico Madrid tonight
Ibrahimovic to Milan? Mkhitaryan to Roma?
Novak Djokovic beats Rafael Nadal
Cristiano Ronaldo dos Santos Aveiro
Benedict Cumberbatch and Keira Knightley
Nguyen, Patel, Kowalski and O'Brien
Anna Karenina by Leo Tolstoy
Giannis Antetokounmpo is unreal
Hakuna Matata! what a wonderful phrase
Despacito on repeat all day
La La Land was wonderful
Amelie and Cinema Paradiso, always
Parasite > Roma > Amour, fight me
Volkswagen Passat diesel scandal
flying Lufthansa to Düsseldorf tmrw
IKEA's Billy bookcase fell apart
Häagen-Dazs and Nestlé, never again
São Paulo → Zürich → Kraków trip!
Reykjavik, Oslo, Helsinki, Tallinn
Machu Picchu, Cusco, Arequipa: wow
Kuala Lumpur traffic, ugh
RT @user: check http
@user @user @user
@user thx!!
http
[email] [phone]
#MondayMotivation #GoodVibes #Blessed
#loveislove
#WeltmeisterschaftFinale #VamosArgentina wow
😍😍😍
😂
🎉🎉 happy bday 🎉🎉
:( :( :(
<3 <3 <3
!!!
???
10/10
5 stars *****
$AAPL $TSLA to the moon
BTC ETH XRP DOGE pump
NFL NBA MLB NHL KO PPV
ETA? ASAP pls, thx, LMK
iPhone 15 Pro Max 256GB vs Pixel 8 Pro
def main(): return None
SELECT name FROM users WHERE id = 3;
error 0x80070057 again, windows sucks
npm install broke my node_modules again
zzzzzzzzzzzzzzzzzzzzzzzzzzz
brrrrrrr so cold in here
mmmmmmmmmmm choccy biccies
yummy yummy in my tummy tummy
na na na na hey hey hey goodbye
la la la la la la la la la
blah blah blah blah blah
doo doo doo baby shark doo doo
oh em gee, totes adorbs
supercalifragilisticexpialidocious
antidisestablishmentarianism
pneumonia meds, ibuprofen, paracetamol
Lorazepam, sertraline, escitalopram daily
Tyrannosaurus rex vs Velociraptor
Quercus robur and Fagus sylvatica in bloom
E pluribus unum, semper fidelis
Fleetwood Mac, Led Zeppelin, Pink Floyd
Sigur Ros and Bjork in concert!!
Rammstein live was insane
Taylor Swift Eras Tour
Blackpink Lisa Jennie Rose Jisoo
BTS Jungkook Jimin Taehyung ily
Naruto Sasuke Sakura Kakashi
anime waifu senpai kawaii desu lol
namaste yoga vinyasa asana morning
masala dosa at Saravana Bhavan, yum
yaar this movie is so bad na
my amma makes the best biryani
abuela's tamales are the best
me gusta your style, amigo
gracias for the ride dude
danke for nothing, Lufthansa
merci beaucoup for the lovely gift
ciao bella, see you soon
arigato for the sushi tips
yalla let's go habibi
inshallah we win tonight
mazel tov on the wedding!
shalom from sunny Tel Aviv
aloha from Honolulu, mahalo
hygge evening with candles and glogg
doppelganger kindergarten wanderlust
tsunami karaoke emoji tycoon
Dr. Strange: multiverse of madness
Miss u babe xoxo
xoxo gossip girl
thnks fr th mmrs
w8 4 me plz
gr8 b8 m8 i r8 8/8
u r 2 kewl 4 skewl
tl;dr it sux
no u
k
idk ¯\_(ツ)_/¯
✨manifesting✨ a good week
do u like pina coladas
Kumar Sangakkara top knock
Sachin Tendulkar is god
Pacquiao vs Mayweather finally
Vettel, Hamilton, Raikkonen podium
Eyjafjallajokull grounded my flight
Llanfairpwllgwyngyll train station lol
Schwarzenegger's Terminator, Stallone's Rambo
Ratatouille, Moana, Encanto, Coco
Ocado, Waitrose, Tesco, Asda, Lidl
Wagamama katsu curry
Dolce & Gabbana, Versace, Prada
Moet & Chandon, Veuve Clicquot
Pinot Noir, Merlot, Cabernet
gin, vodka, tequila, rum
wawawawawawawa
eeeeeeeek spider in my bathtub
ooooh la la fancy fancy
Tomorrow: Ottawa Senators at Montreal Canadiens
Steelers Patriots Broncos Seahawks
Mets Yankees Orioles Phillies
in de library wit ma boi
dat boi be trippin
dis gon b gud
gud nite evry1
me no likey
no way jose
adios amigos
hola from Barcelona
au revoir summer
auf wiedersehen pet was a great show
guten tag y'all
konnichiwa peeps
buongiorno from Rome
feliz navidad to all my friends
oktoberfest here we come prost
el clasico tonight vamos barca
forza juve, what a match
allez les bleus, what a final
hala madrid, champions again
visca barca, best team in the world
deutschland won, unbelievable
jai hind, proud moment
eid mubarak everyone
ramadan kareem to all
diwali wishes to you and your family
omw home, gonna binge the office again
Karachi Kings lost AGAIN smh
Manolo Blahnik pumps on sale eeek
mate that penalty was a joke innit
sushi > tacos > pizza > burgers, don't @ me
Gangnam Style still goes hard
she said yes!!!! 💍😭
new phone who dis
bonjour paris, we made it!
Schumacher, Senna, Prost: legends
lowkey obsessed w/ tiramisu rn
Padmavaat trailer looks insane
ay caramba that was close
Jürgen Klopp you beauty
rip Gabriel García Márquez, what a writer
ok google play Despacito
hola amigos, big news coming soon
3 hrs of sleep kms
im so done w this uni
Ed Sheeran tix sold out in 2 mins omg
Aung San Suu Kyi released from house arrest
Zlatan Zlatan Zlatan
Benzema hat trick!!! ridiculous
nasi goreng and satay for dinner, heaven
au pair job in Nice sorted
feelin myself 2day
Viva Las Vegas baby
boba tea run w/ Priya n Ananya
Sao Paulo, Buenos Aires, Bogota: what a tour
TGIF TGIF TGIF
krispy kreme run anyone
ur mom goes 2 college
Muchas gracias to everyone who came out tonight
kpop stans are wild lol
Tchaikovsky > Rachmaninoff
Hamlet, Macbeth, Othello, Lear
Mercedes-Benz Stadium, Atlanta GA
Lisbon to Porto by train, gorgeous
Ramen Nagi in Palo Alto slaps
no comprendo what the ref was smoking
el nino is ruining ski season
danke schoen darling
crème brûlée at Café Procope, divine
Kawhi Leonard, Paul George, Westbrook
ETH gas fees r insane
jamais vu feeling all day today
déjà-vu: Spurs bottled it again
meh. could be worse i guess
hooray hooray its a holi holiday
hip hip hurray for grandma
oy vey what a schlep to the deli
que pasa people of twitter
sup homies
Bolshoi ballet was breathtaking
a la mode pls
Guten Morgen from Berlin! Lovely day
Vamos Rafa!!! What a point
Te amo Shakira, queen of everything
"""

#: What must stay supported, odd as it looks.
ODD_ENGLISH: Final = tuple(_LINES.strip().splitlines())
