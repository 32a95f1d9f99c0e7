# Profiles: /im/user/set and /im/user/get, and names joined when read.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Test::IM;

my $t = Test::IM->new(workers => 2)->start;

run_blocks($t);


# --- 500 at once

my @many = map { { id => "m$_", name => "name $_", img => "i$_" } } 1 .. 500;
is($t->call('/im/user/set', { users => \@many })->body, '{}', '500 profiles');
is_deeply($t->call('/im/user/get', { ids => [ map { $_->{id} } @many ] })->json,
          \@many, 'read back');


# --- a rename shows everywhere, through every worker, within a second

my $conv = $t->say(ann => 'bob', 'hello')->conv_id;
my $group = $t->group(ann => ['bob']);
$t->say_in(ann => $group, 'hello all');

my %shown = (
    'a page'       => sub { $t->page($conv)->[0]{user} },
    'from/to'      => sub { $t->pair('bob', 'ann')->[0]{user} },
    'a group page' => sub { $t->page($group)->[0]{user} },
    'the list'     => sub { { name => $t->list('bob')->[0]{last_user_name} } },
    'the members'  => sub { $t->members($group)->[0] },
    'user/get'     => sub { $t->call('/im/user/get',
                                     { ids => ['ann'] })->json->[0] },
);

for my $name ('Ann', 'Anna', "\x{5b89}\x{5229}\x{82f1}", '') {
    $t->profile('ann', name => $name, img => "http://$name.png");
    for my $where (sort keys %shown) {
        my $seen = $t->poll(1, sub {
            for (1 .. 4) {      # as many connections, so both workers
                delete $t->{conn};
                my $u = $shown{$where}->();
                return if $u->{name} ne $name
                    || exists $u->{img} && $u->{img} ne "http://$name.png";
            }
            return 1;
        });
        ok($seen, "renamed in $where");
    }
}

$t->done;
done_testing;

__DATA__
=== nobody is known
--- call
/im/user/get
--- json
{"ids":[]}
--- answer
[]
--- unchanged

=== set answers {}
--- call
/im/user/set
--- json
{"users":[{"id":"u1","name":"One","img":"http://1.png"},{"id":"u2","name":"Two","img":"http://2.png"}]}
--- answer
{}

=== get answers in the order asked
--- call
/im/user/get
--- json
{"ids":["u2","u1"]}
--- answer
[{"id":"u2","name":"Two","img":"http://2.png"},{"id":"u1","name":"One","img":"http://1.png"}]
--- unchanged

=== a new name keeps the picture
--- before
/im/user/set {"users":[{"id":"u1","name":"Uno"}]}
--- call
/im/user/get
--- json
{"ids":["u1"]}
--- answer
[{"id":"u1","name":"Uno","img":"http://1.png"}]

=== a new picture keeps the name
--- before
/im/user/set {"users":[{"id":"u1","img":"http://one.png"}]}
--- call
/im/user/get
--- json
{"ids":["u1"]}
--- answer
[{"id":"u1","name":"Uno","img":"http://one.png"}]

=== an id alone changes nothing
--- before
/im/user/set {"users":[{"id":"u1"}]}
--- call
/im/user/get
--- json
{"ids":["u1"]}
--- answer
[{"id":"u1","name":"Uno","img":"http://one.png"}]

=== a name alone, of somebody new
--- before
/im/user/set {"users":[{"id":"u3","name":"Three"}]}
--- call
/im/user/get
--- json
{"ids":["u3"]}
--- answer
[{"id":"u3","name":"Three","img":""}]

=== emptied
--- before
/im/user/set {"users":[{"id":"u2","name":"","img":""}]}
--- call
/im/user/get
--- json
{"ids":["u2"]}
--- answer
[{"id":"u2","name":"","img":""}]

=== text as it was sent
--- before
/im/user/set {"users":[{"id":"u4","name":"白亚玲 😀 \"q\" \\ /","img":"a\nb"}]}
--- call
/im/user/get
--- json
{"ids":["u4"]}
--- answer
[{"id":"u4","name":"白亚玲 😀 \"q\" \\ /","img":"a\nb"}]

=== an id of the PREFIX_T_N form is given whole
--- before
/im/user/set {"users":[{"id":"CKD_P_903000000000001","name":"安利英"}]}
--- call
/im/user/get
--- json
{"ids":["CKD_P_903000000000001"]}
--- answer
[{"id":"CKD_P_903000000000001","name":"安利英","img":""}]

=== nothing to set
--- call
/im/user/set
--- json
{"users":[]}
--- answer
{}
--- unchanged

=== all or none
--- call
/im/user/set
--- json
{"users":[{"id":"u1","name":"changed"},{"id":"u 2","name":"x"}]}
--- code
bad_request
--- error_like
\bid\b

=== users is asked
--- call
/im/user/set
--- json
{}
--- code
bad_request
--- error_like
users

=== a list of objects
--- call
/im/user/set
--- json
{"users":["u1"]}
--- code
bad_request
--- error_like
users

=== ids is asked
--- call
/im/user/get
--- json
{"id":"u1"}
--- code
bad_request
--- error_like
ids
